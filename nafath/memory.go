package nafath

import "time"

// record is what is remembered of a verification that ended.
type record struct {
	print  uint64
	at     time.Duration
	status Status
	code   string // the provider's code that decided it, if one did
	// unannounced says that somebody acted and no hint has told of it yet: a
	// webhook may be on its way.
	unannounced bool
}

// memory keeps the last so many records, by folded TransID.
type memory struct {
	records map[string]record
	ring    []string
	next    int
	size    int
}

func newMemory(size int) memory { return memory{records: map[string]record{}, size: size} }

func (m *memory) get(id string) (record, bool) {
	r, ok := m.records[id]
	return r, ok
}

func (m *memory) put(id string, r record) {
	if old, known := m.records[id]; known {
		if !old.status.Terminal() { // what is final stays
			m.records[id] = r
		}
		return
	}
	if len(m.ring) < m.size {
		m.ring = append(m.ring, id)
	} else {
		delete(m.records, m.ring[m.next])
		m.ring[m.next] = id
		m.next = (m.next + 1) % m.size
	}
	m.records[id] = r
}
