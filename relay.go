package ev

import (
	"errors"
	"fmt"

	"github.com/goevlib/ev/internal/relay"
)

// relays are the relays of a loop: they wait, instead of the poller, for files that the
// poller's set cannot wait for. They belong to the loop's goroutine. Package relay describes
// the files. Its goroutines do not refer to the loop, or a loop that is dropped would never
// be collected. They wake it by an eventfd in the loop's set.
type relays struct {
	holders int // active IOs that need a relay; while there are any, there is a set
	set     *relay.Set
	release func()            // of ownFD, for the set
	open    map[int]openRelay // by descriptor
	refused bool              // the poller refuses the eventfd: there cannot be relays
}

type openRelay struct {
	*relay.Relay
	resource *resource
}

// holdRelays opens the set, for the first active IO that needs a relay.
func (w *IO) holdRelays() error {
	rs := &w.loop.files.relays
	if !w.relayed {
		return nil
	}
	if rs.holders > 0 {
		rs.holders++
		return nil
	}
	set, err := relay.NewSet()
	if err != nil {
		return err
	}
	if rs.release, err = w.loop.ownFD(set.FD(), set.Close, w.loop.deliverRelayed); err != nil {
		return err
	}
	rs.set, rs.open, rs.holders, rs.refused = set, make(map[int]openRelay), 1, false
	return nil
}

// dropRelays undoes holdRelays.
func (w *IO) dropRelays() {
	rs := &w.loop.files.relays
	if !w.relayed {
		return
	}
	if rs.holders--; rs.holders == 0 {
		rs.release()
	}
}

// setRelayed is for an active watcher of a number that now denotes another file. relayed says
// whether that needs a relay. So a descriptor is relayed only while each of its watchers is
// counted among the holders.
func (w *IO) setRelayed(relayed bool) {
	if relayed && !w.relayed {
		w.loop.files.relays.holders++ // there is another: the watcher that is being started
	} else if !relayed {
		w.dropRelays()
	}
	w.relayed = relayed
}

func (l *Loop) startRelay(fd int, e *file) error {
	rs := &l.files.relays
	if rs.refused {
		return errors.New("relay: the poller refuses its eventfd")
	}
	r, err := rs.set.Relay(fd)
	if err != nil {
		return fmt.Errorf("relay: %w", err)
	}
	rs.open[fd], e.relayed = openRelay{r, l.resources.add(r.Close)}, true
	return nil
}

func (f *files) stopRelay(fd int, e *file) {
	e.relayed = false
	f.relays.open[fd].resource.release()
	delete(f.relays.open, fd)
}

// deliverRelayed delivers the events of the relays. It is called in the poll phase.
func (l *Loop) deliverRelayed(lost bool) {
	rs := &l.files.relays
	if lost {
		rs.refused = true
		for fd := range rs.open {
			l.stopWatchers(fd)
		}
		return
	}
	for _, r := range rs.set.Ready() {
		if rs.open[r.FD()].Relay != r {
			continue // stopped since
		}
		e := &l.files.table[r.FD()]
		switch {
		case r.Broken():
			l.stopWatchers(r.FD())
		case !r.Holds():
			l.files.stopRelay(r.FD(), e)
			e.watched = None
		default:
			e.deliver(l, Read|Write)
		}
	}
}

// verify is part of Verify. The set exists while a watcher needs a relay, and a relay is open only
// while all watchers of its descriptor need it.
func (rs *relays) verify(table []file) error {
	holders, open := 0, 0
	for fd := range table {
		e := &table[fd]
		for w := e.first; w != nil; w = w.next {
			if w.relayed {
				holders++
			}
		}
		if e.relayed {
			open++
			if rs.open[fd].Relay == nil || e.first == nil || !e.first.relayed {
				return fmt.Errorf("ev: the relay of descriptor %d is missing or not needed", fd)
			}
		}
	}
	if holders != rs.holders || open != len(rs.open) {
		return fmt.Errorf("ev: %d holders of relays and %d relays; counted %d and %d", rs.holders, len(rs.open), holders, open)
	}
	return nil
}
