package hook

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"seccomp-hook/pkg/install"
)

// ticketPrefix begins the names of tickets.
const ticketPrefix = "exec-"

// ticketMagic begins a ticket; its last byte is the version of the form.
const ticketMagic = "SHEXEC\x00\x01"

// PublishTicket publishes what an exec needs to know of a running container, in
// a form that takes no time to read: cmd/seccomp-runc, ticket.c, is the reader.
// It is found by the container's id and by stateRoot, the directory where the
// real runtime keeps its containers, and is good as long as init lives and the
// filter is published of it, whose stand-in it is.
//
// A ticket is, in the machine's byte order: the magic; FNV-1a of 64 bits of all
// that follows; in 32 bits each the size of the published filter, the flags of
// seccomp(2), the number of instructions, and 0; the instructions as struct
// sock_filter; and stateRoot. The checksum finds torn writes and nothing else:
// whoever could write a ticket could write a right one. That nobody but root can
// is what the reader checks, of the ticket and of each directory above it.
func PublishTicket(root, id string, init Init, stateRoot string, f install.Filter) error {
	dir := directory(root, id)
	filter, err := os.Stat(filepath.Join(dir, init.fileName()))
	if errors.Is(err, fs.ErrNotExist) { // init has ended
		return nil
	}
	if err != nil {
		return fmt.Errorf("container %s: publish: %w", id, err)
	}
	var text []byte
	for _, n := range []uint32{uint32(filter.Size()), uint32(f.Flags &^ install.TSync), uint32(len(f.Program)), 0} { // there is one thread
		text = binary.NativeEndian.AppendUint32(text, n)
	}
	for _, in := range f.Program {
		text = binary.NativeEndian.AppendUint16(text, in.Code)
		text = append(text, in.Jt, in.Jf)
		text = binary.NativeEndian.AppendUint32(text, in.K)
	}
	text = append(text, stateRoot...)
	ticket := binary.NativeEndian.AppendUint64([]byte(ticketMagic), hash(string(text)))
	if err := write(dir, init.ticketName(stateRoot), append(ticket, text...)); err != nil {
		return fmt.Errorf("container %s: publish: %w", id, err)
	}
	return nil
}

func hash(text string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(text)) // hash.Hash: never an error
	return h.Sum64()
}

// ticketName is the name of a ticket in the directory of its container.
func (i Init) ticketName(stateRoot string) string {
	return fmt.Sprintf("%s%x-%d-%d", ticketPrefix, hash(stateRoot), i.PID, i.Start)
}

// forgetTickets removes the tickets of an init, and what a killed publisher has
// left of one (write).
func forgetTickets(dir string, init Init) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		of, ours := initOfFile(e.Name())
		if !ours || of != init || strings.HasPrefix(e.Name(), initPrefix) {
			continue
		}
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
