package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"
)

// completionCommand is `weir completion`. The scripts ask weir itself what may come next, so they never grow old.
type completionCommand struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Help is what `weir help completion` adds.
func (c *completionCommand) Help() string {
	return "bash: source <(weir completion bash). zsh: source <(weir completion zsh), after compinit. fish: weir completion fish | source."
}

var completionScripts = map[string]string{
	"bash": `_weir() {
  local IFS=$'\n'
  COMPREPLY=($(weir __complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
  [ ${#COMPREPLY[@]} -eq 0 ] && compopt -o default
}
complete -F _weir weir
`,
	"zsh": `_weir() {
  local -a found
  found=("${(@f)$(weir __complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [ -n "${found[1]}" ]; then compadd -- "${found[@]}"; else _files; fi
}
compdef _weir weir
`,
	"fish": `function __weir_complete
  set -l words (commandline -opc) (commandline -ct)
  weir __complete -- $words[2..-1] 2>/dev/null
end
complete -c weir -a '(__weir_complete)'
`,
}

// Run prints the script.
func (c *completionCommand) Run(t *terminal) error {
	_, err := fmt.Fprint(t.out, completionScripts[c.Shell])
	return err
}

// completeCommand prints what may come next, one candidate a line.
type completeCommand struct {
	Words []string `arg:"" optional:"" passthrough:""`
}

// Run walks the commands along the words; the last word is what is being typed.
func (c *completeCommand) Run(ctx context.Context, t *terminal) error {
	parser, err := newParser(t)
	if err != nil {
		return err
	}
	words := c.Words
	if len(words) > 0 && words[0] == "--" {
		words = words[1:]
	}
	if len(words) == 0 {
		words = []string{""}
	}
	for _, candidate := range candidates(ctx, t, parser.Model.Node, words) {
		fmt.Fprintln(t.out, candidate)
	}
	return nil
}

// candidates gives what may stand where the last word is.
func candidates(ctx context.Context, t *terminal, node *kong.Node, words []string) []string {
	typing := words[len(words)-1]
	arguments := 0
	for _, word := range words[:len(words)-1] {
		if strings.HasPrefix(word, "-") {
			continue
		}
		if next := child(node, word); next != nil {
			node, arguments = next, 0
			continue
		}
		arguments++
	}
	var all []string
	switch {
	case strings.HasPrefix(typing, "-"):
		for _, group := range node.AllFlags(true) {
			for _, flag := range group {
				all = append(all, "--"+flag.Name)
			}
		}
	case len(node.Children) > 0:
		for _, next := range node.Children {
			if !next.Hidden {
				all = append(all, next.Name)
			}
		}
	case arguments < len(node.Positional):
		switch p := node.Positional[arguments]; {
		case p.Enum != "":
			all = p.EnumSlice()
		case p.Name == "stream":
			all = completeStreams(ctx, t)
		case p.Name == "command":
			for _, next := range node.Parent.Children {
				if !next.Hidden {
					all = append(all, next.Name)
				}
			}
		}
	}
	all = slices.DeleteFunc(all, func(s string) bool { return !strings.HasPrefix(s, typing) })
	slices.Sort(all)
	return slices.Compact(all)
}

func child(node *kong.Node, name string) *kong.Node {
	for _, next := range node.Children {
		if next.Name == name && !next.Hidden {
			return next
		}
	}
	return nil
}

// completeStreams asks the server that the environment names, briefly: no server is no candidates.
func completeStreams(ctx context.Context, t *terminal) []string {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	api, err := endpointFlags{}.api(t, 1)
	if err != nil {
		return nil
	}
	names, err := streamNames(ctx, api)
	if err != nil {
		return nil
	}
	return names
}
