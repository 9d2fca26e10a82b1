//go:build libseccomp

package reference

import (
	"errors"
	"fmt"
	"io"
	"math/bits"
	"os"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	libseccomp "github.com/seccomp/libseccomp-golang"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
)

// Version returns the version of the libseccomp in use: "2.5.4".
func Version() (string, error) {
	major, minor, micro := libseccomp.GetLibraryVersion()
	return fmt.Sprintf("%d.%d.%d", major, minor, micro), nil
}

// Compile returns the program that runc would install for s on a machine of
// the native architecture. A contradiction between rules is syscall.EEXIST in
// the error; an architecture that libseccomp does not know is an error too. It
// can take forever (docs/libseccomp.md).
func Compile(s *specs.LinuxSeccomp, native *arch.Arch) (bpf.Program, error) {
	c, err := newConfig(s, native)
	if err != nil {
		return nil, fmt.Errorf("reference: %w", err)
	}
	defer c.filter.Release()
	raw, err := export(c.filter.ExportBPF)
	if err != nil {
		return nil, fmt.Errorf("reference: export: %w", err)
	}
	if native.Endian == bpf.Big {
		swap(raw)
	}
	var p bpf.Program
	if err := p.UnmarshalBinary(raw); err != nil {
		return nil, fmt.Errorf("reference: %w", err)
	}
	if native.Endian == bpf.Big {
		repair(p)
	}
	list, err := c.stub()
	if err != nil {
		return nil, fmt.Errorf("reference: -ENOSYS stub: %w", err)
	}
	return append(list, p...), nil
}

// swap turns the bytes of an array of struct sock_filter to the other order:
// libseccomp writes them in that of the machine that the program is for.
func swap(raw []byte) {
	for i := 0; i+8 <= len(raw); i += 8 {
		slices.Reverse(raw[i : i+2])   // code
		slices.Reverse(raw[i+4 : i+8]) // k
	}
}

// repair puts right what libseccomp does wrong only where it writes for a
// machine of the other byte order: where it needs another copy of a return, for
// a long jump, it swaps the value a second time (_gen_bpf_build_jmp_ret).
func repair(p bpf.Program) {
	for i, in := range p {
		swapped := bits.ReverseBytes32(in.K)
		if in.Code == bpf.RET|bpf.K && !isAction(in.K) && isAction(swapped) {
			p[i].K = swapped
		}
	}
}

// isAction reports whether k is a value that libseccomp returns: no errno makes
// one out of another that is swapped.
func isAction(k uint32) bool {
	switch r := bpf.Return(k); r.Action() {
	case bpf.RetErrno:
		return r.Data() < 4095 // libseccomp takes no more (sys_chk_seccomp_action)
	case bpf.RetTrace:
		return true
	case bpf.RetKillProcess, bpf.RetKillThread, bpf.RetTrap, bpf.RetUserNotif, bpf.RetLog, bpf.RetAllow:
		return r.Data() == 0
	default:
		return false
	}
}

// Listing returns libseccomp's own account of the filter, its "pseudo filter
// code": what it means to compile, without runc's stub. Where the program does
// not do what it says, libseccomp's code generator is at fault.
func Listing(s *specs.LinuxSeccomp, native *arch.Arch) (string, error) {
	c, err := newConfig(s, native)
	if err != nil {
		return "", fmt.Errorf("reference: %w", err)
	}
	defer c.filter.Release()
	text, err := export(c.filter.ExportPFC)
	if err != nil {
		return "", fmt.Errorf("reference: export: %w", err)
	}
	return string(text), nil
}

// export collects what libseccomp writes to a file.
func export(write func(*os.File) error) ([]byte, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	type result struct {
		text []byte
		err  error
	}
	done := make(chan result)
	go func() {
		text, err := io.ReadAll(r)
		done <- result{text, err}
	}()
	err = write(w)
	err = errors.Join(err, w.Close())
	got := <-done
	return got.text, errors.Join(err, got.err)
}

// config is a profile on its way through libseccomp, as in runc's
// libcontainer/seccomp: rules with several names are several rules.
type config struct {
	object   *specs.LinuxSeccomp
	native   *arch.Arch
	archs    []*arch.Arch // the native one first
	fallback libseccomp.ScmpAction
	filter   *libseccomp.ScmpFilter
}

// newConfig does what runc's InitSeccomp does up to the export.
func newConfig(s *specs.LinuxSeccomp, native *arch.Arch) (*config, error) {
	c := &config{object: s, native: native, archs: []*arch.Arch{native}}
	var err error
	if c.fallback, err = action(s.DefaultAction, s.DefaultErrnoRet); err != nil {
		return nil, fmt.Errorf("default action: %w", err)
	}
	if c.fallback == libseccomp.ActNotify {
		return nil, errors.New("SCMP_ACT_NOTIFY cannot be used as default action")
	}
	for i, rule := range s.Syscalls {
		for _, name := range rule.Names {
			if name == "write" && rule.Action == specs.ActNotify {
				return nil, fmt.Errorf("rule %d: SCMP_ACT_NOTIFY cannot be used for the write syscall", i)
			}
		}
	}
	if c.filter, err = libseccomp.NewFilter(c.fallback); err != nil {
		return nil, err
	}
	if err := c.fill(); err != nil {
		c.filter.Release()
		return nil, err
	}
	return c, nil
}

func (c *config) fill() error {
	if err := c.addArchitectures(); err != nil {
		return err
	}
	count := 0
	for _, rule := range c.object.Syscalls {
		count += len(rule.Names)
	}
	if count > 32 { // runc's threshold for libseccomp's binary tree over numbers
		if err := c.filter.SetOptimize(2); err != nil {
			return fmt.Errorf("optimize: %w", err)
		}
	}
	if err := c.filter.SetNoNewPrivsBit(false); err != nil {
		return fmt.Errorf("no_new_privs: %w", err)
	}
	for i := range c.object.Syscalls {
		rule := &c.object.Syscalls[i]
		for _, name := range rule.Names {
			if err := c.addRule(rule, name); err != nil {
				return fmt.Errorf("rule %d (%q): %w", i, name, err)
			}
		}
	}
	return nil
}

// addArchitectures lists the profile's architectures in the filter. A filter
// begins with this machine's; for another machine that one is taken out first,
// which also frees the byte order (libseccomp, db_col_db_remove).
func (c *config) addArchitectures() error {
	here, err := libseccomp.GetNativeArch()
	if err != nil {
		return err
	}
	native, err := scmpArch(c.native)
	if err != nil {
		return err
	}
	if native != here {
		if err := c.filter.RemoveArch(here); err != nil {
			return fmt.Errorf("architecture %v: %w", here, err)
		}
		if err := c.filter.AddArch(native); err != nil {
			return fmt.Errorf("architecture %v: %w", c.native, err)
		}
	}
	for _, name := range c.object.Architectures {
		a, ok := arch.ByOCI(string(name))
		if !ok {
			return fmt.Errorf("architecture %q is unknown", name)
		}
		scmp, err := scmpArch(a)
		if err != nil {
			return err
		}
		if err := c.filter.AddArch(scmp); err != nil {
			return fmt.Errorf("architecture %v: %w", a, err)
		}
		if !slices.Contains(c.archs, a) {
			c.archs = append(c.archs, a)
		}
	}
	return nil
}

// scmpArch returns libseccomp-golang's value for a, if it has one.
func scmpArch(a *arch.Arch) (libseccomp.ScmpArch, error) {
	name := strings.ToLower(strings.TrimPrefix(a.OCI, "SCMP_ARCH_"))
	switch name {
	case "x86_64":
		name = "amd64"
	case "aarch64":
		name = "arm64"
	case "loongarch64":
		name = "loong64"
	}
	return libseccomp.GetArchFromString(name)
}

var plainActions = map[specs.LinuxSeccompAction]libseccomp.ScmpAction{
	specs.ActKill:        libseccomp.ActKillThread,
	specs.ActKillThread:  libseccomp.ActKillThread,
	specs.ActKillProcess: libseccomp.ActKillProcess,
	specs.ActTrap:        libseccomp.ActTrap,
	specs.ActAllow:       libseccomp.ActAllow,
	specs.ActLog:         libseccomp.ActLog,
	specs.ActNotify:      libseccomp.ActNotify,
	specs.ActErrno:       libseccomp.ActErrno,
	specs.ActTrace:       libseccomp.ActTrace,
}

// action follows runc's getAction.
func action(name specs.LinuxSeccompAction, errno *uint) (libseccomp.ScmpAction, error) {
	a, ok := plainActions[name]
	if !ok {
		return libseccomp.ActInvalid, fmt.Errorf("action %q is unknown", name)
	}
	if a == libseccomp.ActErrno || a == libseccomp.ActTrace {
		const eperm = 1
		code := int16(eperm)
		if errno != nil {
			code = int16(*errno)
		}
		a = a.SetReturnCode(code)
	}
	return a, nil
}

var operators = map[specs.LinuxSeccompOperator]libseccomp.ScmpCompareOp{
	specs.OpEqualTo:      libseccomp.CompareEqual,
	specs.OpNotEqual:     libseccomp.CompareNotEqual,
	specs.OpLessThan:     libseccomp.CompareLess,
	specs.OpLessEqual:    libseccomp.CompareLessOrEqual,
	specs.OpGreaterThan:  libseccomp.CompareGreater,
	specs.OpGreaterEqual: libseccomp.CompareGreaterEqual,
	specs.OpMaskedEqual:  libseccomp.CompareMaskedEqual,
}

// addRule follows runc's matchCall.
func (c *config) addRule(rule *specs.LinuxSyscall, name string) error {
	if name == "" {
		return errors.New("empty string is not a valid syscall")
	}
	what, err := action(rule.Action, rule.ErrnoRet)
	if err != nil {
		return err
	}
	if what == c.fallback {
		return nil
	}
	number, err := libseccomp.GetSyscallFromName(name)
	if err != nil {
		return nil //nolint:nilerr // runc skips a call that libseccomp does not know
	}
	if len(rule.Args) == 0 {
		return c.filter.AddRule(number, what)
	}
	var conditions []libseccomp.ScmpCondition
	var uses [6]int
	repeated := false
	for _, a := range rule.Args {
		op, ok := operators[a.Op]
		if !ok {
			return fmt.Errorf("operator %q is unknown", a.Op)
		}
		condition, err := libseccomp.MakeCondition(a.Index, op, a.Value, a.ValueTwo)
		if err != nil {
			return err
		}
		conditions = append(conditions, condition)
		uses[a.Index]++
		repeated = repeated || uses[a.Index] > 1
	}
	if !repeated {
		return c.filter.AddRuleConditional(number, what, conditions)
	}
	for _, condition := range conditions {
		if err := c.filter.AddRuleConditional(number, what, []libseccomp.ScmpCondition{condition}); err != nil {
			return err
		}
	}
	return nil
}

// enosysAction is what runc's retErrnoEnosys is, which it also takes for an
// errno by mistake (generatePatch).
const enosysAction = uint(bpf.RetErrno | 38)

// stub returns the -ENOSYS stub (runc, patchbpf.generatePatch).
func (c *config) stub() (bpf.Program, error) {
	switch c.object.DefaultAction {
	case specs.ActAllow, specs.ActLog, specs.ActTrace:
		return nil, nil
	}
	if errno := c.object.DefaultErrnoRet; errno != nil && *errno == enosysAction {
		return nil, nil
	}
	var list []highest
	for _, a := range c.archs {
		scmp, err := scmpArch(a)
		if err != nil {
			return nil, err
		}
		var most libseccomp.ScmpSyscall
		for _, rule := range c.object.Syscalls {
			for _, name := range rule.Names {
				if number, err := libseccomp.GetSyscallFromNameByArch(name, scmp); err == nil {
					most = max(most, number)
				}
			}
		}
		if most != 0 {
			list = append(list, highest{a, uint32(most)})
		}
	}
	errno := uint16(38)
	switch { // <asm/errno.h> of the machine that runc is built for
	case strings.HasPrefix(c.native.Name, "mips"):
		errno = 89
	case strings.HasPrefix(c.native.Name, "parisc"):
		errno = 251
	}
	return stub(list, bpf.Errno(errno)), nil
}
