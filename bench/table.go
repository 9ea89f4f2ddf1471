package main

import (
	_ "embed"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"text/template"
	"time"
)

// report is the result of one command.
type report struct {
	machine  machine
	measured []measured
	rounds   int
	charts   map[string][]string // files, by group
	file     string              // where the page goes
}

// machine has the facts that a reader needs to compare results.
type machine struct {
	CPU, Kernel, OS, Go, Command, Date string
	Revision                           string // of ev
	CPUs                               int
	Versions                           []string // of the rivals
	LoadBefore, loadAfter              string
}

func inspect(args []string) machine {
	return machine{
		CPU:        field("/proc/cpuinfo", "model name"),
		CPUs:       runtime.NumCPU(),
		OS:         runtime.GOOS + "/" + runtime.GOARCH,
		Kernel:     firstLine("/proc/sys/kernel/osrelease"),
		Go:         runtime.Version(),
		Revision:   revision(),
		Command:    strings.Join(append([]string{"go run -C bench ."}, args...), " "),
		Date:       time.Now().UTC().Format(time.DateOnly),
		Versions:   versions(),
		LoadBefore: loadAverage(),
	}
}

func (m machine) LoadAfter() string { return m.loadAfter }

// field returns the value of the first line "name : value" of a file in /proc.
func field(file, name string) string {
	content, err := os.ReadFile(file)
	if err == nil {
		for line := range strings.Lines(string(content)) {
			if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
				return strings.TrimSpace(value)
			}
		}
	}
	return "unknown"
}

func firstLine(file string) string {
	content, err := os.ReadFile(file)
	if err != nil {
		return "unknown"
	}
	line, _, _ := strings.Cut(string(content), "\n")
	return line
}

func loadAverage() string {
	fields := strings.Fields(firstLine("/proc/loadavg"))
	return fields[0]
}

// revision is the commit that is measured, with "-dirty" where files differ from it.
func revision() string {
	out, err := exec.Command("git", "describe", "--always", "--dirty").Output()
	if err != nil {
		return "of an unknown revision"
	}
	return strings.TrimSpace(string(out))
}

// versions returns the versions of the measured modules, and of the C libraries
// if the system's package manager knows them.
func versions() []string {
	var found []string
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if strings.Contains(m.Path, "goja_nodejs") || strings.Contains(m.Path, "cloudwego/netpoll") {
				found = append(found, m.Path+" "+m.Version)
			}
		}
	}
	for _, library := range []string{"libev-dev", "libuv1-dev"} {
		out, err := exec.Command("dpkg-query", "-W", "-f", "${Version}", library).Output()
		if err == nil && len(out) > 0 {
			found = append(found, library+" "+string(out))
		}
	}
	return found
}

//go:embed performance.md.tmpl
var pages string

// markdown writes the tables.
func (r report) markdown(out io.Writer) error { return r.execute(out, "tables") }

// page writes the tables with the explanations.
func (r report) page(file string) error {
	r.file = file
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	if err := r.execute(out, "page"); err != nil {
		return err
	}
	return out.Close()
}

func (r report) execute(out io.Writer, name string) error {
	t := template.New("").Option("missingkey=error")
	indent := func(s string) string { return strings.ReplaceAll(s, "\n", "\n  ") }
	t.Funcs(template.FuncMap{"indent": indent, "about": func(topic string) (string, error) {
		about := t.Lookup(topic)
		if about == nil {
			return "", nil
		}
		var text strings.Builder
		err := about.Execute(&text, nil)
		return strings.TrimSpace(text.String()), err
	}})
	if _, err := t.Parse(pages); err != nil {
		return err
	}
	return t.ExecuteTemplate(out, name, r)
}

// The methods that the template calls.

func (r report) Machine() machine { return r.machine }

// Confidence is that of all intervals, in percent.
func (r report) Confidence() string { return number(100 * confidence(r.rounds)) }

// Charts are the charts of a group, as the page finds them.
func (r report) Charts(name string) (links []string, err error) {
	for _, chart := range r.charts[name] {
		link, err := filepath.Rel(filepath.Dir(r.file), chart)
		if err != nil {
			return nil, err
		}
		links = append(links, filepath.ToSlash(link))
	}
	return links, nil
}

// Groups returns the headings, in order.
func (r report) Groups() []string {
	var names []string
	for _, group := range r.groups() {
		names = append(names, group[0].group)
	}
	return names
}

// groups are the figures by heading.
func (r report) groups() [][]measured {
	var groups [][]measured
	at := map[string]int{}
	for _, m := range r.measured {
		i, ok := at[m.group]
		if !ok {
			i = len(groups)
			at[m.group] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], m)
	}
	return groups
}

// Table has a line for each column of each figure, and a column for each
// contestant.
func (r report) Table(name string) string {
	var b strings.Builder
	for _, group := range r.groups() {
		if group[0].group != name {
			continue
		}
		names := contestantsOf(group)
		fmt.Fprintf(&b, "| | | %s |\n|---|---|%s\n", strings.Join(names, " | "), strings.Repeat("--:|", len(names)))
		for _, m := range group {
			for column, unit := range m.columns {
				row := []string{m.name, unit}
				for _, name := range names {
					row = append(row, m.cell(name, column))
				}
				fmt.Fprintf(&b, "| %s |\n", strings.Join(row, " | "))
			}
		}
	}
	return b.String()
}

// yardstick is the contestant that the others are compared with.
const yardstick = "ev"

// cell is the median with its interval and, for a rival, the interval of the
// ratio of ev's value to it.
func (m measured) cell(name string, column int) string {
	values := m.column(name, column)
	if values == nil {
		return "–"
	}
	value := estimate(values)
	if isCount(m.columns[column]) {
		return number(value.mid)
	}
	cell := number(value.mid) + value.spread()
	if ratio, ok := m.ratio(yardstick, name, "", column); ok && name != yardstick && value.low > 0 {
		if ratio.has(1) {
			return cell + " (≈)"
		}
		cell += fmt.Sprintf(" (×%s)", ratio)
	}
	return cell
}

// isCount reports whether a unit is not a time or a size. Ratios of counts,
// often to almost nothing, are not useful.
func isCount(unit string) bool {
	return strings.HasPrefix(unit, "allocs") || strings.HasPrefix(unit, "call") || strings.HasPrefix(unit, "stack") ||
		strings.HasPrefix(unit, "missed")
}

// number formats x with three significant digits, or with all digits before the
// point.
func number(x float64) string {
	if size := math.Abs(x); size >= 100 || size < 0.00005 {
		return fmt.Sprintf("%.0f", x)
	}
	digits := max(0, 2-int(math.Floor(math.Log10(math.Abs(x)))))
	text := fmt.Sprintf("%.*f", min(digits, 4), x)
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}

// Absent returns the absent contestants, with the reasons.
func (r report) Absent() []string {
	var lines []string
	for _, m := range r.measured {
		for _, c := range m.rivals {
			if reason := m.skipped[c.name]; reason != "" {
				lines = append(lines, fmt.Sprintf("%s: %s: %s", m.key(), c.name, reason))
			}
		}
		for _, err := range m.errs {
			lines = append(lines, "failed: "+err.Error())
		}
	}
	return lines
}

// Ratios is the table of targets.
func (r report) Ratios() string {
	return r.judge("ratio", func(v verdict) bool { return v.unit == "×" })
}

// Limits is the table of the bounds that are not ratios.
func (r report) Limits() string {
	return r.judge("measured", func(v verdict) bool { return v.unit != "×" })
}

func (r report) judge(heading string, is func(verdict) bool) string {
	var b strings.Builder
	for _, m := range r.measured {
		for _, v := range verdicts(m) {
			if !is(v) {
				continue
			}
			if b.Len() == 0 {
				fmt.Fprintf(&b, "| figure | quantity | %s | target | |\n|---|---|--:|--:|---|\n", heading)
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", v.figure, v.claim, v.measured(), v.aim(), v.outcome())
		}
	}
	return b.String()
}

// Missed returns the figures with a target that is missed.
func (r report) Missed() []string {
	var keys []string
	for _, m := range r.measured {
		if slices.ContainsFunc(verdicts(m), verdict.missed) {
			keys = append(keys, m.key())
		}
	}
	return keys
}
