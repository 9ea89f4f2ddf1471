//go:build cgo

package main

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/examples/curlmulti/curl"
)

// patient is the timeout of a transfer.
const patient = time.Minute

// report is the result of a run.
type report struct {
	n              int
	begun, held    int // transfers in progress at once, by the client's and the server's count
	whole          int // bodies that arrived complete and correct
	bytes          int64
	before, during usage
}

// fleet is the transfers. It belongs to the loop.
type fleet struct {
	loop  *ev.Loop
	multi *curl.Multi
	url   string
	size  int
	report
	err error // the first
}

func transfer(url string, n, size int) (report, error) {
	loop, err := ev.New(ev.WithName("curlmulti"))
	if err != nil {
		return report{}, err
	}
	defer loop.Close()
	f := &fleet{loop: loop, url: url, size: size, report: report{n: n}}
	if f.multi, err = curl.NewMulti(loop); err != nil {
		return report{}, err
	}
	// One transfer comes first, because libcurl and the Go runtime make some things
	// once. They are not part of the cost of the others.
	f.start("/ready", nil, f.launch)
	if err := loop.Run(context.Background()); err != nil {
		return report{}, err
	}
	return f.report, f.err
}

// start begins a transfer. ended is called when it has succeeded.
func (f *fleet) start(path string, body func(part []byte), ended func()) {
	_, err := f.multi.Start(curl.Request{
		URL:     f.url + path,
		Timeout: patient,
		Body:    body,
		Done: func(r curl.Result, err error) {
			switch {
			case err != nil:
				f.fail(err)
			case r.Status != 200:
				f.fail(fmt.Errorf("%s: status %d", path, r.Status))
			case ended != nil:
				ended()
			}
		},
	})
	if err != nil {
		f.fail(err)
	}
}

// fail ends all transfers. It keeps the first error.
func (f *fleet) fail(err error) {
	if f.err == nil {
		f.err = err
	}
	f.multi.Close() // nothing is active any more, so Run returns
}

func (f *fleet) launch() {
	var err error
	if f.before, err = take(f.loop); err != nil {
		f.fail(err)
		return
	}
	for id := range f.n {
		f.download(id)
	}
}

func (f *fleet) download(id int) {
	var got bytes.Buffer
	body := func(part []byte) {
		if got.Len() == 0 {
			if f.begun++; f.begun == f.n {
				defer f.lift()
			}
		}
		got.Write(part)
		f.bytes += int64(len(part))
	}
	f.start(fmt.Sprintf("/body/%d/%d", id, f.size), body, func() {
		if !bytes.Equal(got.Bytes(), content(id, f.size)) {
			f.fail(fmt.Errorf("body %d is not as it was sent", id))
			return
		}
		f.whole++
	})
}

// lift makes the server go on. The first piece of every body has come, and no
// second one is on its way.
func (f *fleet) lift() {
	var err error
	if f.during, err = take(f.loop); err != nil {
		f.fail(err)
		return
	}
	var answer bytes.Buffer
	f.start("/lift", func(part []byte) { answer.Write(part) }, func() {
		held, err := strconv.Atoi(answer.String())
		if err == nil && held != f.n {
			err = fmt.Errorf("the server held %d transfers, not %d", held, f.n)
		}
		if err != nil {
			f.fail(err)
		}
		f.held = held
	})
}
