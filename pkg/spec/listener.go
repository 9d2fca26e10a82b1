package spec

import (
	"errors"
	"fmt"

	"seccomp-hook/pkg/bpf"
)

// errNotifyWrite is runc's: it sends the number of the listener's descriptor to
// itself, with write, when the filter is in place (InitSeccomp).
var errNotifyWrite = errors.New("SCMP_ACT_NOTIFY cannot be used for the write syscall")

// checkListener checks what a listener needs; wanted says that a rule notifies.
func (p *Profile) checkListener(wanted bool) error {
	switch {
	case p.Default == bpf.RetUserNotif:
		return fmt.Errorf("spec: profile %s: SCMP_ACT_NOTIFY cannot be the default action", p.Name)
	case wanted && p.ListenerPath == "":
		return fmt.Errorf("spec: profile %s: SCMP_ACT_NOTIFY needs a listenerPath", p.Name)
	case p.ListenerMetadata != "" && p.ListenerPath == "":
		return fmt.Errorf("spec: profile %s: listenerMetadata needs a listenerPath", p.Name)
	}
	return nil
}
