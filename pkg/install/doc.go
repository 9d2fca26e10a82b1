// Package install puts filter programs into the kernel: seccomp(2) with TSYNC,
// in this process (Self), or inside the init process of a container that a
// runtime has prepared and not yet started (Start and Installer.Install).
package install
