package spec

// Flags are the flags of seccomp(2) that a profile asks for. The zero value is
// a profile that says "flags": [].
type Flags struct {
	// Log is SECCOMP_FILTER_FLAG_LOG.
	Log bool
	// SpecAllow is SECCOMP_FILTER_FLAG_SPEC_ALLOW.
	SpecAllow bool
	// WaitKillableRecv is SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV.
	WaitKillableRecv bool
	// Unset says that the profile has no "flags" at all. Then runc takes
	// SPEC_ALLOW if the kernel has it (specconv.SetupSeccomp).
	Unset bool
}

// set turns on the flag of that name; false where there is none.
// SECCOMP_FILTER_FLAG_TSYNC is taken for granted, as runc does.
func (f *Flags) set(name string) bool {
	switch name {
	case "SECCOMP_FILTER_FLAG_TSYNC":
	case "SECCOMP_FILTER_FLAG_LOG":
		f.Log = true
	case "SECCOMP_FILTER_FLAG_SPEC_ALLOW":
		f.SpecAllow = true
	case "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV":
		f.WaitKillableRecv = true
	default:
		return false
	}
	return true
}

// Names returns the flags by their names in a profile; nil where the profile
// does not say, which is not the same as an empty list.
func (f Flags) Names() []string {
	if f.Unset {
		return nil
	}
	names := []string{}
	for _, flag := range [...]struct {
		on   bool
		name string
	}{
		{f.Log, "SECCOMP_FILTER_FLAG_LOG"},
		{f.SpecAllow, "SECCOMP_FILTER_FLAG_SPEC_ALLOW"},
		{f.WaitKillableRecv, "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"},
	} {
		if flag.on {
			names = append(names, flag.name)
		}
	}
	return names
}

// With returns the flags of one filter that stands for two: what is logged by
// either is logged, and speculation is restricted unless both allow it (the
// kernel restricts a task when the first filter without SPEC_ALLOW is attached,
// seccomp_assign_mode).
func (f Flags) With(other Flags) Flags {
	return Flags{
		Log:              f.Log || other.Log,
		SpecAllow:        f.SpecAllow && other.SpecAllow || f.SpecAllow && other.Unset || f.Unset && other.SpecAllow,
		WaitKillableRecv: f.WaitKillableRecv || other.WaitKillableRecv,
		Unset:            f.Unset && other.Unset,
	}
}
