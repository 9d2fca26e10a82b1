package hook

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// maxState bounds the state on stdin, in bytes. Annotations are the only part
// of it that can be long: Kubernetes allows 256 KiB of them.
const maxState = 1 << 20

// readState reads the OCI state that a runtime hands to its hooks. It is strict
// where a reader who is not could take the wrong process for the container's:
// a property that occurs twice, a type that is not the spec's, a second
// document. Properties that the spec does not have are allowed by it.
func readState(r io.Reader) (*specs.State, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxState+1))
	switch {
	case err != nil:
		return nil, err
	case len(text) > maxState:
		return nil, fmt.Errorf("larger than %d bytes", maxState)
	case len(text) == 0:
		return nil, errors.New("empty; the runtime hands it over on stdin")
	}
	state := new(specs.State)
	err = members(text, func(name string, decoder *json.Decoder) error {
		switch name {
		case "ociVersion":
			return decoder.Decode(&state.Version)
		case "id":
			return decoder.Decode(&state.ID)
		case "status":
			return decoder.Decode(&state.Status)
		case "pid":
			return decoder.Decode(&state.Pid)
		case "bundle":
			return decoder.Decode(&state.Bundle)
		case "annotations":
			var annotations json.RawMessage
			if err := decoder.Decode(&annotations); err != nil || string(annotations) == "null" {
				return err
			}
			state.Annotations = map[string]string{}
			return members(annotations, func(name string, decoder *json.Decoder) error {
				var value string
				err := decoder.Decode(&value)
				state.Annotations[name] = value
				return err
			})
		default:
			var unknown json.RawMessage
			return decoder.Decode(&unknown)
		}
	})
	if err != nil {
		return nil, err
	}
	return state, checkID(state.ID)
}

// members calls visit for each member of the JSON object in text, with a
// decoder that is at its value. encoding/json itself accepts a name twice, and
// in any case.
func members(text []byte, visit func(name string, decoder *json.Decoder) error) error {
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	token, err := decoder.Token()
	if err == nil && token != json.Delim('{') {
		err = errors.New("not a JSON object")
	}
	if err != nil {
		return unexpected(err)
	}
	seen := map[string]bool{}
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return unexpected(err)
		}
		name := token.(string) // by JSON's grammar, which Token checks
		if seen[name] {
			return fmt.Errorf("%q occurs twice", name)
		}
		seen[name] = true
		if err := visit(name, decoder); err != nil {
			return fmt.Errorf("%q: %w", name, unexpected(err))
		}
	}
	if _, err := decoder.Token(); err != nil {
		return unexpected(err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return errors.New("data after the end")
	}
	return nil
}

// unexpected turns the end of input in the middle of a value into an error that
// says so.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// checkCreating reports whether a state is one of a container that is being
// created.
func checkCreating(state *specs.State) error {
	switch {
	case state.Pid <= 0:
		return fmt.Errorf("%q: %d is not a process", "pid", state.Pid)
	case !filepath.IsAbs(state.Bundle):
		return fmt.Errorf("%q: %q is not an absolute path", "bundle", state.Bundle)
	case state.Status == specs.StateStopped:
		return fmt.Errorf("%q: the container is stopped", "status")
	}
	return nil
}

// checkID reports whether a container id can be the name of a directory, which
// is all that is asked of it; runc allows less (libcontainer, validateID).
func checkID(id string) error {
	switch {
	case id == "" || id == "." || id == "..", len(id) > 255, strings.ContainsAny(id, "/\x00"):
		return fmt.Errorf("%q is not the id of a container", id)
	}
	return nil
}
