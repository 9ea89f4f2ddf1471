package ev_test

import (
	"errors"
	"fmt"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/goevlib/ev"
)

func TestBadOptionsAreErrors(t *testing.T) {
	for want, opt := range map[string]ev.LoopOption{
		"ev: New: nil option":                               nil,
		"ev: WithWakeup: no such mode: Wakeup(99)":          ev.WithWakeup(99),
		"ev: WithSlowCallback: negative duration -1ns":      ev.WithSlowCallback(-1),
		"ev: New: backend Backend(0x63) on " + runtime.GOOS: ev.WithBackend(99),
	} {
		l, err := ev.New(ev.WithName("fine"), opt)
		assert.ErrorContains(t, err, want)
		assert.Nil(t, l)
	}
}

func TestABackendThatTheSystemLacksIsUnsupported(t *testing.T) {
	have := map[ev.Backend]bool{}
	for _, b := range ev.SupportedBackends() {
		have[b] = true
	}
	for _, b := range []ev.Backend{ev.BackendEpoll, ev.BackendKqueue, ev.BackendAFD, ev.BackendChan, 1, 99} {
		if have[b] {
			continue
		}
		_, err := ev.New(ev.WithBackend(b))
		assert.ErrorIs(t, err, errors.ErrUnsupported, b)
	}
}

func TestSupportedBackendsAreConcreteAndWork(t *testing.T) {
	assert.NotContains(t, ev.SupportedBackends(), ev.BackendAuto)
	assert.Subset(t, ev.SupportedBackends(), ev.RecommendedBackends())
	for _, b := range ev.SupportedBackends() {
		assert.Equal(t, b, newLoop(t, ev.WithBackend(b)).Backend())
	}
	assert.Equal(t, ev.RecommendedBackends()[0], newLoop(t).Backend())
	assert.Equal(t, ev.RecommendedBackends()[0], newLoop(t, ev.WithBackend(ev.BackendAuto)).Backend())
}

func TestCallersMayChangeTheListsOfBackends(t *testing.T) {
	ev.SupportedBackends()[0] = 99
	ev.RecommendedBackends()[0] = 99
	newLoop(t)
	assert.NotContains(t, append(ev.SupportedBackends(), ev.RecommendedBackends()...), ev.Backend(99))
}

func TestBackendsAndWakeModesHaveNamesAndLibevsNumbers(t *testing.T) {
	assert.EqualValues(t, 4, ev.BackendEpoll)
	assert.EqualValues(t, 8, ev.BackendKqueue)
	assert.EqualValues(t, 0x100, ev.BackendAFD)
	for want, v := range map[string]fmt.Stringer{
		"auto": ev.BackendAuto, "epoll": ev.BackendEpoll, "kqueue": ev.BackendKqueue, "afd": ev.BackendAFD,
		"chan":         ev.BackendChan,
		"Backend(0x1)": ev.Backend(1), "write": ev.WakeWrite, "direct": ev.WakeDirect, "Wakeup(7)": ev.Wakeup(7),
	} {
		assert.Equal(t, want, v.String())
	}
	assert.Equal(t, "auto", ev.WakeAuto.String())
}
