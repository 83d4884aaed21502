package main

import (
	"cmp"
	"context"
	"flag"
	"runtime"
	"runtime/debug"
)

func versionCommand() command {
	return command{
		name: "version", summary: "print the version",
		setup: func(p *program, fs *flag.FlagSet) func(context.Context, []string) error {
			asJSON := fs.Bool("json", false, "print JSON")
			return func(_ context.Context, args []string) error {
				if err := none(args); err != nil {
					return err
				}
				version, revision := "unknown", ""
				if info, ok := debug.ReadBuildInfo(); ok {
					version = cmp.Or(info.Main.Version, version)
					for _, s := range info.Settings {
						if s.Key == "vcs.revision" {
							revision = s.Value
						}
					}
				}
				if *asJSON {
					p.line(map[string]string{"version": version, "revision": revision, "go": runtime.Version()})
					return nil
				}
				p.printf("kyckit %s %s %s/%s\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
				return nil
			}
		},
	}
}
