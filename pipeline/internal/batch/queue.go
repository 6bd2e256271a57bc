package batch

// queue is a double-ended ring: returned items go to its front.
type queue[T any] struct {
	ring []T // length is a power of two, or 0
	head int
	n    int
}

func (q *queue[T]) len() int { return q.n }

func (q *queue[T]) at(i int) *T { return &q.ring[(q.head+i)&(len(q.ring)-1)] }

func (q *queue[T]) front() T { return *q.at(0) }

func (q *queue[T]) pushBack(v T) {
	q.grow()
	*q.at(q.n) = v
	q.n++
}

func (q *queue[T]) pushFront(v T) {
	q.grow()
	q.head = (q.head - 1) & (len(q.ring) - 1)
	*q.at(0) = v
	q.n++
}

func (q *queue[T]) popFront() T {
	p := q.at(0)
	v := *p
	*p = *new(T) // the ring must not keep it alive
	q.head = (q.head + 1) & (len(q.ring) - 1)
	q.n--
	return v
}

func (q *queue[T]) grow() {
	if q.n < len(q.ring) {
		return
	}
	ring := make([]T, max(8, 2*len(q.ring)))
	for i := range q.n {
		ring[i] = *q.at(i)
	}
	q.ring, q.head = ring, 0
}
