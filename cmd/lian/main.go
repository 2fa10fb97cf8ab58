// Command lian is the whole life of a language model in one program.
package main

import (
	"os"

	"lian/cli"
)

func main() {
	os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
