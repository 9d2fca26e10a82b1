//go:build linux

package front

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// reader is a process that reads texts as the front does.
type reader struct{ conversation }

func newReader(t testing.TB) reader {
	return reader{converse(t, "texts", []string{"plain.c"}, filepath.Join(t.TempDir(), "ticket"))}
}

// ask sends a text and returns the first byte of the answer.
func (r reader) ask(t testing.TB, what byte, text []byte) bool {
	t.Helper()
	request := binary.NativeEndian.AppendUint32([]byte{what}, uint32(len(text)))
	if _, err := r.in.Write(append(request, text...)); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	answer, err := r.out.ReadByte()
	if err != nil {
		t.Fatalf("%q: the front's reader has ended: %v", text, err)
	}
	return answer == 1
}

// A ticket as pkg/hook, ticket.go, writes it for the directory /root: this is the
// oracle, which shares nothing with the reader.
const (
	magic      = "SHEXEC\x00\x01"
	headSize   = len(magic) + 8 + 4*4
	maxProgram = 4096
)

// ticket writes one; rest is what follows the head.
func ticket(size, flags, count uint32, rest []byte) []byte {
	var text []byte
	for _, n := range []uint32{size, flags, count, 0} {
		text = binary.NativeEndian.AppendUint32(text, n)
	}
	return sealed(append(text, rest...))
}

// below returns what follows the head: a program, and the directory that the
// ticket is for.
func below(program []byte, directory string) []byte {
	return append(bytes.Clone(program), directory...)
}

// sealed puts the magic and the right sum before a text.
func sealed(text []byte) []byte {
	h := fnv.New64a()
	h.Write(text)
	return append(binary.NativeEndian.AppendUint64([]byte(magic), h.Sum64()), text...)
}

// understand returns the program of a ticket, false where it is none.
func understand(text []byte) (program []byte, ok bool) {
	if len(text) < headSize || !bytes.Equal(sealed(text[len(magic)+8:]), text) {
		return nil, false
	}
	count := binary.NativeEndian.Uint32(text[headSize-8:])
	if count == 0 || count > maxProgram || len(text) != headSize+8*int(count)+len("/root") || !strings.HasSuffix(string(text), "/root") {
		return nil, false
	}
	return text[headSize : headSize+8*int(count)], true
}

// agree holds the front's reading of a ticket to the oracle's.
func (r reader) agree(t testing.TB, text []byte) bool {
	t.Helper()
	got := r.ask(t, 't', text)
	program, want := understand(text)
	if os.Geteuid() != 0 {
		want = false // a ticket is root's
	}
	if got != want {
		t.Fatalf("%q: taken is %t, want %t", text, got, want)
	}
	if !got {
		return false
	}
	answer := make([]byte, 8+len(program))
	if _, err := io.ReadFull(r.out, answer); err != nil {
		t.Fatal(err)
	}
	head := append(bytes.Clone(text[headSize-12:headSize-8]), text[headSize-8:headSize-4]...)
	if !bytes.Equal(answer, append(head, program...)) {
		t.Fatalf("%q is read as %q", text, answer)
	}
	return true
}

// TestTicketAgrees: whatever a file is, the front takes it for a ticket where the
// oracle does, and reads the same from it.
func TestTicketAgrees(t *testing.T) {
	r, random := newReader(t), rand.New(rand.NewPCG(3, 4))
	taken, refused := 0, 0
	for range 4000 {
		count := uint32(random.IntN(40))
		if random.IntN(50) == 0 {
			count = maxProgram - 1 + random.Uint32N(3)
		}
		rest := make([]byte, 8*int(count))
		for i := range rest {
			rest[i] = byte(random.Uint32())
		}
		text := ticket(random.Uint32(), random.Uint32(), count, below(rest, "/root"))
		switch random.IntN(8) {
		case 0: // a byte changed
			text[random.IntN(len(text))] ^= 1 << random.IntN(8)
		case 1: // one that the sum knows of
			text[len(magic)+8+random.IntN(len(text)-len(magic)-8)] ^= 1 << random.IntN(8)
			text = sealed(text[len(magic)+8:])
		case 2: // an end
			text = text[:random.IntN(len(text)+1)]
		case 3: // another directory, another length
			text = ticket(1, 2, count, below(rest, []string{"", "/", "/roo", "/rooted", "/root\x00", "root/"}[random.IntN(6)]))
		case 4: // a count that is not that of the instructions
			text = ticket(1, 2, []uint32{0, count + 1, count - 1, 1 << 31, ^uint32(0), 0x20000001}[random.IntN(6)], below(rest, "/root"))
		}
		if r.agree(t, text) {
			taken++
		} else {
			refused++
		}
	}
	if refused < 500 || taken < 500 && os.Geteuid() == 0 {
		t.Errorf("%d taken, %d refused", taken, refused)
	}
}

func FuzzTicket(f *testing.F) {
	f.Add(ticket(1, 2, 1, []byte("\x06\x00\x00\x00\x00\x00\xff\x7f/root")))
	f.Add(ticket(0, 0, ^uint32(0), []byte("/root")))
	f.Add([]byte(magic))
	r := newReader(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		r.agree(t, text)
		if len(text) > len(magic)+8 {
			r.agree(t, sealed(bytes.Clone(text[len(magic)+8:])))
		}
	})
}

// mentioned reports whether a JSON text has a word in a string, in any case.
func mentioned(text []byte, word string) bool {
	d := json.NewDecoder(bytes.NewReader(text))
	for {
		token, err := d.Token()
		if err != nil {
			return false
		}
		if s, ok := token.(string); ok && strings.Contains(strings.ToLower(s), word) {
			return true
		}
	}
}

// FuzzMentions: where a reader of JSON sees the word, the front must see it too:
// it leaves a container to the real runtime for certain where it does not.
func FuzzMentions(f *testing.F) {
	for _, seed := range []string{
		"", "seccomp", `{"linux": {"seccomp": {}}}`, `{"linux": {"SecComp": null}}`, `{"linux": {"\u0073eccomp": {}}}`, `{"a": "sec\u0063OMP"}`, `{"a": "b"}`, `"\`, "secseccomp", "seccom",
	} {
		f.Add([]byte(seed))
	}
	r := newReader(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		if got := r.ask(t, 'm', text); !got && mentioned(text, "seccomp") {
			t.Fatalf("%q mentions it", text)
		}
	})
}
