package cli

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"

	"github.com/spf13/cobra"

	"lian/chain/step"
	"lian/cli/ui"
	"lian/engine"
	"lian/serve"
)

func init() { register(serveCommand) }

// serveOptions are the settings of lian serve.
type serveOptions struct {
	serve.Options      `yaml:",inline"`
	step.ServedOptions `yaml:",inline"`
	step.MemoryOptions `yaml:",inline"`
	Engine             engine.Options `yaml:"engine"`
}

// serveCommand is lian serve MODEL...
func serveCommand() *cobra.Command {
	var o serveOptions
	return verb("serve MODEL...", "verb.serve", &o, func(ctx context.Context, args []string, out *ui.Out) (err error) {
		if o.Plan || o.Fit {
			sizes, plan, err := step.PlanServe(args, o.Adapters, o.SelfExtension, o.Engine, o.MemoryOptions)
			if err != nil || o.Plan {
				return out.Result(plan, err)
			}
			out.Note("serve.fit", sizes.Sequences, sizes.Context)
			o.Engine = sizes
		}
		served, err := step.OpenServer(args, o.ServedOptions, o.Options, o.Engine, slog.Default())
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, served.Close()) }()
		listener, err := served.Server.Listen()
		if err != nil {
			return err
		}
		url := serve.URL(listener)
		if err := out.Line(map[string]any{"url": url, "models": served.IDs}); err != nil {
			return err
		}
		out.Say("serve.ready", strings.Join(served.IDs, ", "), url+"/v1")
		out.Say("serve.page", url)
		for _, model := range served.StandIns {
			out.Note("template.stand_in", model[0], model[1])
		}
		for _, note := range served.Notes {
			out.Note("serve.note", note)
		}
		if ip := net.ParseIP(o.Host); o.APIKey == "" && o.Host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			out.Note("serve.open")
		}
		out.Note("serve.stop")
		stopped := context.AfterFunc(ctx, func() { out.Note("serve.draining") })
		defer stopped()
		return served.Server.Serve(ctx, listener)
	})
}
