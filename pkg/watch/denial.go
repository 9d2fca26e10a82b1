//go:build linux

package watch

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cilium/ebpf/ringbuf"
	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/bpf"
)

// Denial is one call that the container's filters did not let through.
type Denial struct {
	// PID and TID are the process and the thread, as the host numbers them.
	PID, TID int
	Command  string // as /proc/PID/comm has it
	Call     bpf.Data
	Return   bpf.Return
	// Time is nanoseconds of CLOCK_MONOTONIC.
	Time uint64
}

// Denials calls tell for each denied call that the kernel hands over, until
// Stop has been called and all of them are told.
func (w *Watcher) Denials(tell func(*Denial)) error {
	for {
		record, err := w.events.Read()
		switch {
		case errors.Is(err, ringbuf.ErrFlushed), errors.Is(err, ringbuf.ErrClosed):
			return nil
		case err != nil:
			return fmt.Errorf("watch: read denied calls: %w", err)
		}
		d, err := decodeDenial(record.RawSample)
		if err != nil {
			return err
		}
		tell(d)
	}
}

// decodeDenial reads an event.
func decodeDenial(raw []byte) (*Denial, error) {
	if len(raw) < eventSize {
		return nil, fmt.Errorf("watch: a denied call of %d bytes", len(raw))
	}
	order := binary.NativeEndian
	d := &Denial{
		PID:     int(order.Uint32(raw[eventTgid:])),
		TID:     int(order.Uint32(raw[eventTid:])),
		Command: unix.ByteSliceToString(raw[eventComm : eventComm+16]),
		Return:  bpf.Return(order.Uint32(raw[eventVerdict:])),
		Time:    order.Uint64(raw[eventTime:]),
		Call: bpf.Data{
			Nr: order.Uint32(raw[bpf.OffNr:]), Arch: order.Uint32(raw[bpf.OffArch:]), IP: order.Uint64(raw[bpf.OffIP:]),
		},
	}
	for i := range d.Call.Args {
		d.Call.Args[i] = order.Uint64(raw[bpf.OffArgs+8*i:])
	}
	return d, nil
}
