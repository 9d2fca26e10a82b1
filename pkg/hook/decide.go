package hook

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/bundle"
	"seccomp-hook/pkg/counter"
	"seccomp-hook/pkg/filter"
	"seccomp-hook/pkg/regular"
	"seccomp-hook/pkg/spec"
)

// Decide does what Run does before it installs: it chooses the profile of a
// container and gets its filter. It is for a caller that takes linux.seccomp out
// of config.json, and puts Result.Annotations in, before the runtime reads it.
// Finish then does the rest.
func Decide(config *bundle.Config, o Options) (*Result, error) {
	r := &Result{Annotations: map[string]string{filter.AnnotationInstallMode: ModeNone}}
	chosen, err := o.choose(nil, config, false)
	if err != nil || len(chosen) == 0 {
		return r, err
	}
	_, err = r.filter(&o, chosen, config)
	if errors.Is(err, filter.ErrDisabled) {
		r.disabled(chosen)
		return r, nil
	}
	delete(r.Annotations, filter.AnnotationInstallMode) // the hook knows it
	return r, err
}

// prepare gets the filter that is to be installed; nil where the profile asks
// for none.
func (r *Result) prepare(o *Options, p profiles, config *bundle.Config) (*filter.Filter, error) {
	f, err := r.filter(o, p, config)
	if errors.Is(err, filter.ErrDisabled) {
		r.disabled(p)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if !o.Observe {
		err = r.beside(f, p, config)
	}
	if err != nil {
		return nil, err
	}
	return f, nil
}

// disabled notes that a profile asks for no filter. It is no error: nor is it to
// the runtimes.
func (r *Result) disabled(p profiles) {
	r.warn("profile %s asks for no filter", p.name())
	r.Annotations[filter.AnnotationProfile] = p.name()
	r.Annotations[filter.AnnotationInstallMode] = ModeNone
}

// readConfig reads the bundle's config.json.
func readConfig(dir string) (*bundle.Config, error) {
	text, err := regular.ReadFile(filepath.Join(dir, "config.json"), spec.MaxSize)
	if err != nil {
		return nil, fmt.Errorf("config.json: %w", err)
	}
	return bundle.Parse(text)
}

// filter gets the filter of a profile, from the store if it is there.
func (r *Result) filter(o *Options, p profiles, config *bundle.Config) (*filter.Filter, error) {
	kernel, err := runningKernel()
	if err != nil {
		return nil, err
	}
	capabilities := config.Bounding()
	if capabilities == nil {
		capabilities = []string{} // as the runtimes: a process that lists none has none
	}
	store, fault := filter.Open(StoreDir(o.Root)) // a store that is nil can be asked, too
	var also []filter.Source
	for _, other := range p[1:] {
		also = append(also, filter.Source{Profile: other.name, Text: other.text, Seccomp: other.seccomp})
	}
	got, err := store.Filter(filter.Request{
		Profile:      p[0].name,
		Text:         p[0].text,
		Seccomp:      p[0].seccomp,
		Also:         also,
		Capabilities: capabilities,
		Kernel:       kernel,
		Strict:       o.Strict,
	})
	store.Close()
	if !got.Hit {
		// It is no harm if that is not counted.
		_ = counter.Add(rootOr(o.Root), map[string]float64{
			counter.StoreMisses: 1, counter.CompileSeconds: got.Took.Compile.Seconds(), counter.ProofSeconds: got.Took.Proof.Seconds(),
		})
	}
	if err != nil {
		return nil, err
	}
	if fault = errors.Join(fault, got.Fault); fault != nil {
		r.warn("%s; the filter was compiled for this container alone", strings.ReplaceAll(fault.Error(), "\n", "; "))
	}
	r.Filter = got.Filter
	maps.Copy(r.Annotations, got.Filter.Annotations())
	r.Annotations[filter.AnnotationStore] = filter.Miss
	if got.Hit {
		r.Annotations[filter.AnnotationStore] = filter.Hit
	}
	return got.Filter, nil
}

// beside looks at the filter that the runtime is going to install itself.
func (r *Result) beside(f *filter.Filter, p profiles, config *bundle.Config) error {
	if config.Seccomp() == nil {
		return nil
	}
	if f.Listener != nil {
		// The kernel refuses a second listener in one process (EBUSY,
		// kernel/seccomp.c, has_duplicate_listener).
		both := p.seccomp()
		if !both {
			var err error
			if both, err = notifies(config.Seccomp()); err != nil {
				return err
			}
		}
		if both {
			return fmt.Errorf("profile %s: has SCMP_ACT_NOTIFY, and so has linux.seccomp, which the runtime installs too: there can be only one listener", p.name())
		}
	}
	if len(p) == 1 && p.seccomp() {
		r.warn("config.json has linux.seccomp, which the runtime installs too: the container has two filters with equal verdicts")
	} else {
		r.warn("config.json has linux.seccomp, which the runtime installs too: the container has two filters, and the stricter verdict counts")
	}
	return nil
}

// runningKernel returns the version of the running kernel.
func runningKernel() (spec.KernelVersion, error) {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return spec.KernelVersion{}, fmt.Errorf("uname: %w", err)
	}
	return spec.ParseKernelVersion(unix.ByteSliceToString(name.Release[:]))
}

func (r *Result) warn(format string, args ...any) {
	r.Warnings = append(r.Warnings, fmt.Sprintf(format, args...))
}
