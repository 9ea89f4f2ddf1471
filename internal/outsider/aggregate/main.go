// Command aggregate prints the most frequent words of files.
//
//	aggregate FILE...
//
// A goroutine for each file sends its words. The counts belong to a loop and need no lock.
package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/goevlib/ev"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "aggregate:", err)
		os.Exit(1)
	}
}

// item is a word of a file, or its end.
type item struct {
	word string
	end  bool
	err  error
}

func run(files []string) error {
	if len(files) == 0 {
		return errors.New("no files")
	}
	loop, err := ev.New(ev.WithName("aggregate"))
	if err != nil {
		return err
	}
	defer loop.Close()

	counts, words, open := map[string]int{}, 0, len(files)
	var failed error
	progress := ev.NewTimer(loop, time.Second, time.Second, func(*ev.Timer) {
		fmt.Fprintln(os.Stderr, words, "words of", open, "files that are not read to their end")
	})
	progress.Start()
	items := ev.NewQueue(loop, 10_000, func(q *ev.Queue[item], batch []item) {
		for _, i := range batch {
			if i.end {
				open--
				failed = errors.Join(failed, i.err)
				continue
			}
			counts[i.word]++
			words++
		}
		if open == 0 {
			q.Stop()
			progress.Stop() // nothing is active now, so Run returns
		}
	})
	items.Start()
	for _, file := range files {
		go read(file, items)
	}
	if err := loop.Run(context.Background()); err != nil {
		return err
	}
	show(counts)
	return failed
}

// read runs on a goroutine of its own. SendWait waits while the loop has ten thousand items to
// count.
func read(file string, to *ev.Queue[item]) {
	ctx := context.Background()
	f, err := os.Open(file)
	if err == nil {
		defer f.Close()
		words := bufio.NewScanner(f)
		words.Split(bufio.ScanWords)
		for err == nil && words.Scan() {
			err = to.SendWait(ctx, item{word: words.Text()})
		}
		err = errors.Join(err, words.Err())
	}
	if err := to.SendWait(ctx, item{end: true, err: err}); err != nil {
		fmt.Fprintln(os.Stderr, "aggregate:", err)
	}
}

func show(counts map[string]int) {
	words := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
	for _, word := range words[:min(5, len(words))] {
		fmt.Println(counts[word], word)
	}
}
