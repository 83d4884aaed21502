package main

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"strings"
)

func completionCommand() command {
	return command{
		name: "completion", args: "bash|zsh|fish", summary: "print a completion script for a shell",
		example: []string{"source <(kyckit completion bash)", "kyckit completion fish >~/.config/fish/completions/kyckit.fish"},
		setup: func(p *program, _ *flag.FlagSet) func(context.Context, []string) error {
			return func(_ context.Context, args []string) error {
				shell, err := one(args, "bash, zsh or fish")
				if err != nil {
					return err
				}
				script, ok := map[string]func() string{"bash": bash, "zsh": zsh, "fish": fish}[shell]
				if !ok {
					return usage("the shells are bash, zsh and fish")
				}
				p.printf("%s", script())
				return nil
			}
		},
	}
}

// words is what may follow the words of a command line so far, by those words:
// "" → "fake webhook …", "webhook" → "send verify listen".
func words() (order []string, next map[string][]string) {
	next = map[string][]string{}
	add := func(before, word string) {
		if _, known := next[before]; !known {
			order = append(order, before)
		}
		if slices.Contains(next[before], word) {
			return
		}
		next[before] = append(next[before], word)
	}
	for _, c := range commands() {
		first, second, group := strings.Cut(c.name, " ")
		add("", first)
		if group {
			add(first, second)
		}
		if !strings.HasPrefix(c.args, "@") {
			for arg := range strings.SplitSeq(c.args, "|") {
				if arg != "" {
					add(c.name, arg)
				}
			}
		}
		fs := flag.NewFlagSet("", flag.ContinueOnError)
		c.setup(&program{}, fs)
		fs.VisitAll(func(f *flag.Flag) { add(c.name, "-"+f.Name) })
		add(c.name, "-h")
	}
	return order, next
}

func bash() string {
	var out strings.Builder
	out.WriteString("# completion of kyckit for bash\n_kyckit() {\n  local cur=${COMP_WORDS[COMP_CWORD]} words\n" +
		"  if (( COMP_CWORD == 1 )); then words=" + quoted("") + "\n  else\n    case \"${COMP_WORDS[1]} ${COMP_WORDS[2]}\" in\n")
	order, next := words()
	for _, longest := range []bool{true, false} { // "webhook send" before "webhook"
		for _, before := range order {
			if before == "" || strings.Contains(before, " ") != longest {
				continue
			}
			fmt.Fprintf(&out, "      '%s '*) words='%s' ;;\n", before, strings.Join(next[before], " "))
			if longest {
				fmt.Fprintf(&out, "      '%s') (( COMP_CWORD > 2 )) && words='%s' ;;\n", before, strings.Join(next[before], " "))
			}
		}
	}
	out.WriteString("    esac\n  fi\n  COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n}\ncomplete -o default -F _kyckit kyckit\n")
	return out.String()
}

// quoted is what may follow some words, quoted for a shell.
func quoted(before string) string {
	_, next := words()
	return "'" + strings.Join(next[before], " ") + "'"
}

func zsh() string {
	var out strings.Builder
	out.WriteString("#compdef kyckit\n# completion of kyckit for zsh\n_kyckit() {\n  local -a next\n" +
		"  if (( CURRENT == 2 )); then next=(${=:-" + strings.Trim(quoted(""), "'") + "})\n  else\n    next=()\n")
	order, next := words()
	for _, before := range order {
		if before == "" {
			continue
		}
		n := len(strings.Fields(before))
		condition := fmt.Sprintf("CURRENT > %d", n+1)
		if len(next[before]) > 0 && !strings.Contains(before, " ") && !strings.HasPrefix(next[before][0], "-") && next[before+" "+next[before][0]] != nil {
			condition = "CURRENT == 3" // a group
		}
		fmt.Fprintf(&out, "    if [[ \"${(j: :)words[2,%d]}\" == '%s' ]] && (( %s )); then next=(%s); fi\n", n+1, before, condition, strings.Join(next[before], " "))
	}
	out.WriteString("  fi\n  compadd -a next || _files\n}\ncompdef _kyckit kyckit\n")
	return out.String()
}

func fish() string {
	var out strings.Builder
	out.WriteString("# completion of kyckit for fish\ncomplete -c kyckit -f\n")
	order, next := words()
	for _, before := range order {
		condition := "test (count (commandline -opc)) -eq 1"
		if before != "" {
			condition = fmt.Sprintf("string match -q -- 'kyckit %s*' (commandline -opc | string join ' ')", before)
		}
		for _, word := range next[before] {
			if name, isFlag := strings.CutPrefix(word, "-"); isFlag {
				fmt.Fprintf(&out, "complete -c kyckit -n \"%s\" -o %s\n", condition, name)
			} else {
				fmt.Fprintf(&out, "complete -c kyckit -n \"%s\" -a %s\n", condition, word)
			}
		}
	}
	return out.String()
}
