package poll

// top keeps the items with the highest scores: a binary heap of bounded size
// with the lowest at the root.
type top[T any] struct {
	size   int
	scores []float64
	list   []*Item[T]
}

func newTop[T any](size int) *top[T] { return &top[T]{size: size} }

func (t *top[T]) offer(score float64, it *Item[T]) {
	if len(t.list) < t.size {
		t.scores, t.list = append(t.scores, score), append(t.list, it)
		for i := len(t.list) - 1; i > 0; {
			parent := (i - 1) / 2
			if t.scores[parent] <= t.scores[i] {
				break
			}
			t.swap(i, parent)
			i = parent
		}
		return
	}
	if score <= t.scores[0] {
		return
	}
	t.scores[0], t.list[0] = score, it
	for i := 0; ; {
		child := 2*i + 1
		if child >= len(t.list) {
			return
		}
		if r := child + 1; r < len(t.list) && t.scores[r] < t.scores[child] {
			child = r
		}
		if t.scores[i] <= t.scores[child] {
			return
		}
		t.swap(i, child)
		i = child
	}
}

func (t *top[T]) swap(i, j int) {
	t.scores[i], t.scores[j] = t.scores[j], t.scores[i]
	t.list[i], t.list[j] = t.list[j], t.list[i]
}

// items appends what was kept, in no order.
func (t *top[T]) items(to []*Item[T]) []*Item[T] { return append(to, t.list...) }
