package cli

import (
	"context"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"lian/cli/ui"
)

func init() { register(versionCommand) }

// version is set by "make build" through the linker.
var version string

// Version is the version of this program: the one it was built as, or that of its
// module, or "development".
func Version() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "development"
}

// build is what "lian version" prints.
type build struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// versionCommand is lian version.
func versionCommand() *cobra.Command {
	return verb("version", "verb.version", nil, func(ctx context.Context, args []string, out *ui.Out) error {
		b := build{Version: Version(), Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
		if info, ok := debug.ReadBuildInfo(); ok {
			for _, s := range info.Settings {
				if s.Key == "vcs.revision" {
					b.Revision = s.Value
				}
			}
		}
		return out.Result(b)
	})
}
