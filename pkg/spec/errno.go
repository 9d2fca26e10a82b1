package spec

import (
	"math"
	"strconv"
	"strings"

	"seccomp-hook/pkg/arch"
)

// errnoNames are the names of <asm-generic/errno.h>, by number; Podman's
// profiles have errnos by name. Beyond errnoShared mips and parisc have numbers
// of their own.
var errnoNames = [...]string{
	1:   "EPERM",
	2:   "ENOENT",
	3:   "ESRCH",
	4:   "EINTR",
	5:   "EIO",
	6:   "ENXIO",
	7:   "E2BIG",
	8:   "ENOEXEC",
	9:   "EBADF",
	10:  "ECHILD",
	11:  "EAGAIN",
	12:  "ENOMEM",
	13:  "EACCES",
	14:  "EFAULT",
	15:  "ENOTBLK",
	16:  "EBUSY",
	17:  "EEXIST",
	18:  "EXDEV",
	19:  "ENODEV",
	20:  "ENOTDIR",
	21:  "EISDIR",
	22:  "EINVAL",
	23:  "ENFILE",
	24:  "EMFILE",
	25:  "ENOTTY",
	26:  "ETXTBSY",
	27:  "EFBIG",
	28:  "ENOSPC",
	29:  "ESPIPE",
	30:  "EROFS",
	31:  "EMLINK",
	32:  "EPIPE",
	33:  "EDOM",
	34:  "ERANGE",
	35:  "EDEADLK",
	36:  "ENAMETOOLONG",
	37:  "ENOLCK",
	38:  "ENOSYS",
	39:  "ENOTEMPTY",
	40:  "ELOOP",
	42:  "ENOMSG",
	43:  "EIDRM",
	44:  "ECHRNG",
	45:  "EL2NSYNC",
	46:  "EL3HLT",
	47:  "EL3RST",
	48:  "ELNRNG",
	49:  "EUNATCH",
	50:  "ENOCSI",
	51:  "EL2HLT",
	52:  "EBADE",
	53:  "EBADR",
	54:  "EXFULL",
	55:  "ENOANO",
	56:  "EBADRQC",
	57:  "EBADSLT",
	59:  "EBFONT",
	60:  "ENOSTR",
	61:  "ENODATA",
	62:  "ETIME",
	63:  "ENOSR",
	64:  "ENONET",
	65:  "ENOPKG",
	66:  "EREMOTE",
	67:  "ENOLINK",
	68:  "EADV",
	69:  "ESRMNT",
	70:  "ECOMM",
	71:  "EPROTO",
	72:  "EMULTIHOP",
	73:  "EDOTDOT",
	74:  "EBADMSG",
	75:  "EOVERFLOW",
	76:  "ENOTUNIQ",
	77:  "EBADFD",
	78:  "EREMCHG",
	79:  "ELIBACC",
	80:  "ELIBBAD",
	81:  "ELIBSCN",
	82:  "ELIBMAX",
	83:  "ELIBEXEC",
	84:  "EILSEQ",
	85:  "ERESTART",
	86:  "ESTRPIPE",
	87:  "EUSERS",
	88:  "ENOTSOCK",
	89:  "EDESTADDRREQ",
	90:  "EMSGSIZE",
	91:  "EPROTOTYPE",
	92:  "ENOPROTOOPT",
	93:  "EPROTONOSUPPORT",
	94:  "ESOCKTNOSUPPORT",
	95:  "EOPNOTSUPP",
	96:  "EPFNOSUPPORT",
	97:  "EAFNOSUPPORT",
	98:  "EADDRINUSE",
	99:  "EADDRNOTAVAIL",
	100: "ENETDOWN",
	101: "ENETUNREACH",
	102: "ENETRESET",
	103: "ECONNABORTED",
	104: "ECONNRESET",
	105: "ENOBUFS",
	106: "EISCONN",
	107: "ENOTCONN",
	108: "ESHUTDOWN",
	109: "ETOOMANYREFS",
	110: "ETIMEDOUT",
	111: "ECONNREFUSED",
	112: "EHOSTDOWN",
	113: "EHOSTUNREACH",
	114: "EALREADY",
	115: "EINPROGRESS",
	116: "ESTALE",
	117: "EUCLEAN",
	118: "ENOTNAM",
	119: "ENAVAIL",
	120: "EISNAM",
	121: "EREMOTEIO",
	122: "EDQUOT",
	123: "ENOMEDIUM",
	124: "EMEDIUMTYPE",
	125: "ECANCELED",
	126: "ENOKEY",
	127: "EKEYEXPIRED",
	128: "EKEYREVOKED",
	129: "EKEYREJECTED",
	130: "EOWNERDEAD",
	131: "ENOTRECOVERABLE",
	132: "ERFKILL",
	133: "EHWPOISON",
	134: "EFTYPE",
}

// errnoAliases are second names.
var errnoAliases = [...]struct {
	name  string
	errno uint16
}{
	{"EWOULDBLOCK", 11}, {"EDEADLOCK", 35}, {"ENOTSUP", 95},
}

// errnoShared is the highest errno that is the same on all architectures:
// ERANGE, the last of <asm-generic/errno-base.h>.
const errnoShared = 34

// errnoByName returns the errno of that name.
func errnoByName(name string) (uint16, bool) {
	for n, s := range errnoNames {
		if s == name && s != "" {
			return uint16(n), true
		}
	}
	for _, alias := range errnoAliases {
		if alias.name == name {
			return alias.errno, true
		}
	}
	return 0, false
}

// errno is an errno as written.
type errno struct {
	number, name uint16 // of errnoRet, and of Podman's errno
	numbered     bool   // there is an errnoRet
	named        bool   // there is an errno
	local        bool   // named, and not the same on every architecture
}

// given reports whether there is one, and returns it. A name wins over a
// number, as in containers/common.
func (e *errno) given() (uint16, bool) {
	if e.named {
		return e.name, true
	}
	return e.number, e.numbered
}

// read reads an errnoRet: 16 bits of the filter's return value are its.
func (e *errno) read(d *decoder) error {
	value, err := d.uint(math.MaxUint16)
	e.number, e.numbered = uint16(value), true
	return err
}

// readName reads a name. It may be a number, and an empty one is none.
func (e *errno) readName(d *decoder) error {
	d.space()
	pos := d.pos
	text, err := d.string()
	if err != nil || text == "" {
		return err
	}
	value, ok := errnoByName(text)
	if !ok {
		n, err := strconv.ParseUint(text, 10, 16)
		if err != nil {
			return d.fail(pos, "unknown errno %q", text)
		}
		value = uint16(n)
	}
	e.name, e.named = value, true
	e.local = ok && value > errnoShared
	return nil
}

// ownErrnos reports whether a has errnos of its own beyond errnoShared.
func ownErrnos(a *arch.Arch) bool {
	return strings.HasPrefix(a.Name, "mips") || strings.HasPrefix(a.Name, "parisc")
}

// Enosys returns the number of ENOSYS on a (<asm/errno.h>), which runc's stub
// returns.
func Enosys(a *arch.Arch) uint16 {
	switch {
	case strings.HasPrefix(a.Name, "mips"):
		return 89
	case strings.HasPrefix(a.Name, "parisc"):
		return 251
	}
	return 38
}
