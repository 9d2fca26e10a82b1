package warm

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Places returns where the profiles of a host are, those that exist: the folder of
// annotations' profiles, the kubelet's of Localhost profiles, the file that Podman
// and CRI-O have as default, and the bundles of the containers that run, whose
// profiles are wanted again. Together with the builtins that is what most containers
// have.
func Places(profileDirs []string) []string {
	var list []string
	for _, path := range append(profileDirs,
		"/var/lib/kubelet/seccomp",
		"/etc/containers/seccomp.json", "/usr/share/containers/seccomp.json",
		"/run/containerd/io.containerd.runtime.v2.task",
	) {
		if _, err := os.Stat(path); err == nil {
			list = append(list, path)
		}
	}
	return list
}

// Files returns the files that can be profiles in a folder and below: *.json, but
// not what containers have in their root filesystem.
func Files(dir string) ([]string, error) {
	var list []string
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && entry.Name() == "rootfs":
			return fs.SkipDir
		case entry.Type().IsRegular() && strings.HasSuffix(path, ".json"):
			list = append(list, path)
		}
		return nil
	})
	return list, err
}

// relative returns the path of a file from each of the folders that it is in.
func relative(dirs []string, file string) []string {
	file, err := filepath.Abs(file)
	if err != nil {
		return nil
	}
	var list []string
	for _, dir := range dirs {
		if path, within := strings.CutPrefix(file, filepath.Clean(dir)+"/"); within {
			list = append(list, path)
		}
	}
	return list
}
