package upload

import "io"

// heldChunk is how much memory Hold takes at a time: no doubling, so that a
// file never needs twice its size.
const heldChunk = 256 << 10

// Hold reads a Source into memory, so that it has a Size and can be sent again.
// It gives up with ErrStopped when quit is closed.
func (s *Source) Hold(quit <-chan struct{}) error {
	h := &held{}
	for {
		piece, err := s.fill(make([]byte, heldChunk), quit)
		if err != nil {
			return err
		}
		h.list = append(h.list, piece)
		if len(piece) < heldChunk {
			break
		}
	}
	s.reader, s.seeker, s.start, s.direct, s.Size = h, h, 0, true, s.off
	return nil
}

// held is a file in memory, in pieces.
type held struct {
	list [][]byte
	at   int // the current piece
	off  int // what was read of it
}

func (h *held) Read(p []byte) (int, error) {
	for h.at < len(h.list) && h.off == len(h.list[h.at]) {
		h.at, h.off = h.at+1, 0
	}
	if h.at == len(h.list) {
		return 0, io.EOF
	}
	n := copy(p, h.list[h.at][h.off:])
	h.off += n
	return n, nil
}

// Seek goes to the start, the one place that a Source asks for.
func (h *held) Seek(int64, int) (int64, error) {
	h.at, h.off = 0, 0
	return 0, nil
}
