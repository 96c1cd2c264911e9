// Package ordered is a sorted map that never changes: putting and removing give another map that shares all but the path to the change.
//
// It owns the tree and nothing of what is kept in it. Machines whose states are published to readers without locks are built on it:
// whoever holds an older map keeps it unharmed.
package ordered

import (
	"cmp"
	"iter"
)

// Map is the sorted map. A change costs a copy of the nodes on the path to it: twenty small ones among a million keys.
//
// It is an AVL tree: the depths of a node's two sides differ by at most one. The zero Map is empty.
type Map[K cmp.Ordered, V any] struct {
	root *node[K, V]
	size int
}

type node[K cmp.Ordered, V any] struct {
	key         K
	value       V
	left, right *node[K, V]
	depth       int8 // of the longest way down, this node included
}

// Get finds the value at key.
func (m Map[K, V]) Get(key K) (value V, found bool) {
	for n := m.root; n != nil; {
		switch {
		case key < n.key:
			n = n.left
		case key > n.key:
			n = n.right
		default:
			return n.value, true
		}
	}
	return value, false
}

// Put is the map with value at key.
func (m Map[K, V]) Put(key K, value V) Map[K, V] {
	root, added := m.root.put(key, value)
	if added {
		m.size++
	}
	m.root = root
	return m
}

// Remove is the map without key.
func (m Map[K, V]) Remove(key K) Map[K, V] {
	root, removed := m.root.remove(key)
	if removed {
		m.size--
		m.root = root
	}
	return m
}

// From visits keys at or after key, in order.
func (m Map[K, V]) From(key K) iter.Seq2[K, V] {
	return func(yield func(K, V) bool) { m.root.from(key, yield) }
}

// All visits everything in order.
func (m Map[K, V]) All() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) { m.root.all(yield) }
}

// Len is how many keys there are.
func (m Map[K, V]) Len() int { return m.size }

func (n *node[K, V]) put(key K, value V) (_ *node[K, V], added bool) {
	if n == nil {
		return &node[K, V]{key: key, value: value, depth: 1}, true
	}
	c := *n
	switch {
	case key < n.key:
		c.left, added = n.left.put(key, value)
	case key > n.key:
		c.right, added = n.right.put(key, value)
	default:
		c.value = value
		return &c, false
	}
	return c.balanced(), added
}

func (n *node[K, V]) remove(key K) (_ *node[K, V], removed bool) {
	if n == nil {
		return nil, false
	}
	c := *n
	switch {
	case key < n.key:
		if c.left, removed = n.left.remove(key); !removed {
			return n, false
		}
	case key > n.key:
		if c.right, removed = n.right.remove(key); !removed {
			return n, false
		}
	case n.left == nil:
		return n.right, true
	case n.right == nil:
		return n.left, true
	default: // the next key takes the place
		next := n.right
		for next.left != nil {
			next = next.left
		}
		c.key, c.value = next.key, next.value
		c.right, _ = n.right.remove(next.key)
	}
	return c.balanced(), true
}

// balanced puts n, a fresh copy whose sides differ by at most two, in order again.
func (n node[K, V]) balanced() *node[K, V] {
	switch lean := n.left.deep() - n.right.deep(); {
	case lean > 1:
		if n.left.left.deep() < n.left.right.deep() {
			n.left = n.left.rotateLeft()
		}
		return (&n).rotateRight()
	case lean < -1:
		if n.right.right.deep() < n.right.left.deep() {
			n.right = n.right.rotateRight()
		}
		return (&n).rotateLeft()
	}
	n.measure()
	return &n
}

// rotateLeft and rotateRight are n with one of its children on top. They write to neither.
func (n *node[K, V]) rotateLeft() *node[K, V] {
	down, up := *n, *n.right
	down.right = up.left
	down.measure()
	up.left = &down
	up.measure()
	return &up
}

func (n *node[K, V]) rotateRight() *node[K, V] {
	down, up := *n, *n.left
	down.left = up.right
	down.measure()
	up.right = &down
	up.measure()
	return &up
}

func (n *node[K, V]) measure() { n.depth = 1 + max(n.left.deep(), n.right.deep()) }

func (n *node[K, V]) deep() int8 {
	if n == nil {
		return 0
	}
	return n.depth
}

func (n *node[K, V]) from(key K, yield func(K, V) bool) bool {
	if n == nil {
		return true
	}
	if key < n.key && !n.left.from(key, yield) {
		return false
	}
	if n.key >= key && !yield(n.key, n.value) {
		return false
	}
	if n.key > key {
		return n.right.all(yield)
	}
	return n.right.from(key, yield)
}

func (n *node[K, V]) all(yield func(K, V) bool) bool {
	return n == nil || n.left.all(yield) && yield(n.key, n.value) && n.right.all(yield)
}
