// Command critestimage is what critest's images have beside busybox: nonewprivs tells
// its user, and nginx and httpd serve a page at the port that they are given.
package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// master is how nginx names its first process. critest looks for these words in the
// command line, and for the program's name with pidof.
const master = "nginx: master process nginx"

func main() {
	if err := run(os.Args); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	name := filepath.Base(args[0])
	switch name {
	case "nonewprivs":
		fmt.Println("Effective uid:", os.Geteuid())
		return nil
	case "nginx":
		path, err := os.Executable()
		if err != nil {
			return fmt.Errorf("find this program: %w", err)
		}
		if err := syscall.Exec(path, append([]string{master}, args[1:]...), os.Environ()); err != nil {
			return fmt.Errorf("execute %s by its long name: %w", path, err)
		}
	case master:
		if err := os.WriteFile("/var/run/nginx.pid", []byte(strconv.Itoa(os.Getpid())), 0o644); err != nil {
			return err
		}
	}
	fmt.Println(name, "serves")
	return http.ListenAndServe(":"+args[1], http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, name)
	}))
}
