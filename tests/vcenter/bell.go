package main

import (
	"sync"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// bell tells waiting clients that objects changed, and which.
type bell struct {
	mu        sync.Mutex
	listeners map[*listener]bool
}

// listener collects the objects that changed since it last looked.
type listener struct {
	mu    sync.Mutex
	dirty map[types.ManagedObjectReference]bool
	rung  chan struct{}
}

func newBell() *bell { return &bell{listeners: map[*listener]bool{}} }

func (b *bell) listen() *listener {
	l := &listener{dirty: map[types.ManagedObjectReference]bool{}, rung: make(chan struct{}, 1)}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.listeners[l] = true
	return l
}

func (b *bell) forget(l *listener) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.listeners, l)
}

func (b *bell) ring(r types.ManagedObjectReference) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for l := range b.listeners {
		l.note(r)
	}
}

func (l *listener) note(r types.ManagedObjectReference) {
	l.mu.Lock()
	l.dirty[r] = true
	l.mu.Unlock()
	select {
	case l.rung <- struct{}{}:
	default:
	}
}

// take hands out what changed and forgets it.
func (l *listener) take() map[types.ManagedObjectReference]bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	dirty := l.dirty
	l.dirty = map[types.ManagedObjectReference]bool{}
	return dirty
}

// Reference is the name under which the registry knows the bell.
func (b *bell) Reference() types.ManagedObjectReference { return ref("Bell", "bell") }

// PutObject rings for a new object.
func (b *bell) PutObject(_ *simulator.Context, o mo.Reference) { b.ring(o.Reference()) }

// UpdateObject rings for a changed object.
func (b *bell) UpdateObject(_ *simulator.Context, o mo.Reference, _ []types.PropertyChange) {
	b.ring(o.Reference())
}

// RemoveObject rings for an object that is gone.
func (b *bell) RemoveObject(_ *simulator.Context, r types.ManagedObjectReference) { b.ring(r) }
