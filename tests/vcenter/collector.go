package main

import (
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

const (
	longestWait       = 30 * time.Minute
	settleUpdates     = 20 * time.Millisecond
	defaultMaxUpdates = 100
)

// propertyCollector is the library's collector with three differences: an
// unknown property path faults the call, unset values are left out on every
// page, and WaitForUpdatesEx answers with real differences and versions.
type propertyCollector struct {
	simulator.PropertyCollector
	world *world // only on the registered instance; sessions get their own copy

	once     sync.Once
	listener *listener
	cancel   chan struct{}
	version  int
	shown    map[types.ManagedObjectReference]shownFilter
	pending  []types.PropertyFilterUpdate
}

// shownFilter is what the client has seen of one filter's objects.
type shownFilter map[types.ManagedObjectReference]map[string]any

// home finds the world behind a session's copy of the collector.
func home(ctx *simulator.Context) *world {
	instance := ctx.Map.Get(vimServiceInstance).(*simulator.ServiceInstance)
	return ctx.Map.Get(instance.Content.PropertyCollector).(*propertyCollector).world
}

// RetrievePropertiesEx reads properties.
func (c *propertyCollector) RetrievePropertiesEx(ctx *simulator.Context, req *types.RetrievePropertiesEx) soap.HasFault {
	body := c.PropertyCollector.RetrievePropertiesEx(ctx, req).(*methods.RetrievePropertiesExBody)
	if body.Fault_ != nil || body.Res.Returnval == nil {
		return body
	}
	objects := body.Res.Returnval.Objects
	for i := range objects {
		for _, missing := range objects[i].MissingSet {
			if _, bad := missing.Fault.Fault.(*types.InvalidProperty); bad {
				return &methods.RetrievePropertiesExBody{
					Fault_: simulator.Fault("Invalid property: "+missing.Path, &types.InvalidProperty{Name: missing.Path}),
				}
			}
		}
		home(ctx).dropUnset(&objects[i])
	}
	body.Res.Returnval.Objects = home(ctx).withhold(objects)
	return body
}

// RetrieveProperties is the same without pages.
func (c *propertyCollector) RetrieveProperties(ctx *simulator.Context, req *types.RetrieveProperties) soap.HasFault {
	all := c.RetrievePropertiesEx(ctx, &types.RetrievePropertiesEx{This: req.This, SpecSet: req.SpecSet}).(*methods.RetrievePropertiesExBody)
	body := &methods.RetrievePropertiesBody{Fault_: all.Fault_}
	if all.Fault_ == nil {
		body.Res = &types.RetrievePropertiesResponse{Returnval: all.Res.Returnval.Objects}
	}
	return body
}

// ContinueRetrievePropertiesEx reads the next page.
func (c *propertyCollector) ContinueRetrievePropertiesEx(ctx *simulator.Context, req *types.ContinueRetrievePropertiesEx) soap.HasFault {
	body := c.PropertyCollector.ContinueRetrievePropertiesEx(ctx, req).(*methods.ContinueRetrievePropertiesExBody)
	if body.Fault_ == nil {
		for i := range body.Res.Returnval.Objects {
			home(ctx).dropUnset(&body.Res.Returnval.Objects[i])
		}
		body.Res.Returnval.Objects = home(ctx).withhold(body.Res.Returnval.Objects)
	}
	return body
}

// CancelRetrievePropertiesEx gives a page token up by reading its page.
func (c *propertyCollector) CancelRetrievePropertiesEx(ctx *simulator.Context, req *types.CancelRetrievePropertiesEx) soap.HasFault {
	body := new(methods.CancelRetrievePropertiesExBody)
	read := c.PropertyCollector.ContinueRetrievePropertiesEx(ctx, &types.ContinueRetrievePropertiesEx{This: req.This, Token: req.Token})
	if fault := read.Fault(); fault != nil {
		body.Fault_ = fault
		return body
	}
	body.Res = new(types.CancelRetrievePropertiesExResponse)
	return body
}

// dropUnset removes properties without a value and the numbers that nobody
// knows: a reader must see them as absent, not as 0.
func (w *world) dropUnset(content *types.ObjectContent) {
	kept := content.PropSet[:0]
	for _, p := range content.PropSet {
		if p.Val != nil && !w.isHidden(content.Obj, p.Name) {
			kept = append(kept, p)
		}
	}
	content.PropSet = kept
}

func (w *world) isHidden(obj types.ManagedObjectReference, path string) bool {
	if v, ok := w.vmIDs[obj.Value]; ok {
		return v.hidden[path]
	}
	h, ok := w.hostIDs[obj.Value]
	if !ok {
		return false
	}
	if path == "capability.maxHostRunningVms" {
		return h.spec.MaxRunningVMs == 0
	}
	return !h.isReachable() && strings.HasPrefix(path, "summary.quickStats.")
}

// CreatePropertyCollector makes a further collector of this session.
func (c *propertyCollector) CreatePropertyCollector(ctx *simulator.Context, _ *types.CreatePropertyCollector) soap.HasFault {
	further := &propertyCollector{}
	further.Self.Type = "PropertyCollector"
	return &methods.CreatePropertyCollectorBody{
		Res: &types.CreatePropertyCollectorResponse{Returnval: ctx.Session.Put(further).Reference()},
	}
}

// CancelWaitForUpdates ends a waiting call with RequestCanceled.
func (c *propertyCollector) CancelWaitForUpdates(ctx *simulator.Context, _ *types.CancelWaitForUpdates) soap.HasFault {
	c.prepare(ctx)
	select {
	case c.cancel <- struct{}{}:
	default:
	}
	return &methods.CancelWaitForUpdatesBody{Res: new(types.CancelWaitForUpdatesResponse)}
}

// DestroyPropertyCollector ends a further collector.
func (c *propertyCollector) DestroyPropertyCollector(ctx *simulator.Context, req *types.DestroyPropertyCollector) soap.HasFault {
	c.CancelWaitForUpdates(ctx, &types.CancelWaitForUpdates{This: req.This})
	home(ctx).bell.forget(c.listener)
	for _, r := range c.Filter {
		if filter, ok := ctx.Session.Get(r).(*simulator.PropertyFilter); ok {
			ctx.Map.RemoveHandler(filter)
			ctx.Session.Remove(ctx, r)
		}
	}
	ctx.Session.Remove(ctx, req.This)
	return &methods.DestroyPropertyCollectorBody{Res: new(types.DestroyPropertyCollectorResponse)}
}

func (c *propertyCollector) prepare(ctx *simulator.Context) {
	c.once.Do(func() {
		c.listener = home(ctx).bell.listen()
		c.cancel = make(chan struct{}, 1)
		c.shown = map[types.ManagedObjectReference]shownFilter{}
	})
}

// WaitForUpdatesEx answers with what changed since the version given, or waits
// for it. It holds the world only while it looks, never while it waits.
func (c *propertyCollector) WaitForUpdatesEx(ctx *simulator.Context, req *types.WaitForUpdatesEx) soap.HasFault {
	w := home(ctx)
	c.prepare(ctx)
	if req.Version == "" {
		c.shown, c.pending = map[types.ManagedObjectReference]shownFilter{}, nil
	}
	patience, most := longestWait, defaultMaxUpdates
	if o := req.Options; o != nil {
		if o.MaxWaitSeconds != nil {
			patience = time.Duration(*o.MaxWaitSeconds) * time.Second
		}
		if o.MaxObjectUpdates > 0 {
			most = int(o.MaxObjectUpdates)
		}
	}
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for {
		if set, fault := c.look(ctx, w, most); fault != nil || set != nil {
			return &methods.WaitForUpdatesExBody{Res: &types.WaitForUpdatesExResponse{Returnval: set}, Fault_: fault}
		}
		select {
		case <-c.listener.rung:
			time.Sleep(settleUpdates) // more changes come together
		case <-deadline.C:
			return &methods.WaitForUpdatesExBody{Res: new(types.WaitForUpdatesExResponse)}
		case <-c.cancel:
			return &methods.WaitForUpdatesExBody{Fault_: canceled().soap()}
		}
	}
}

// look compares the filters with what was shown; nil means nothing is new.
func (c *propertyCollector) look(ctx *simulator.Context, w *world, most int) (*types.UpdateSet, *soap.Fault) {
	if len(c.pending) == 0 {
		dirty := c.listener.take()
		w.mu.RLock()
		defer w.mu.RUnlock()
		for _, r := range c.Filter {
			filter, ok := ctx.Session.Get(r).(*simulator.PropertyFilter)
			if !ok || (c.shown[r] != nil && !c.concerns(filter, dirty)) {
				continue
			}
			objects, fault := c.compare(ctx, r, filter.Spec)
			if fault != nil {
				return nil, fault
			}
			if len(objects) > 0 {
				c.pending = append(c.pending, types.PropertyFilterUpdate{Filter: r, ObjectSet: objects})
			}
		}
	}
	if len(c.pending) == 0 {
		return nil, nil
	}
	c.version++
	set := &types.UpdateSet{Version: strconv.Itoa(c.version)}
	set.FilterSet, c.pending = cut(c.pending, most)
	if len(c.pending) > 0 {
		set.Truncated = types.NewBool(true)
	}
	return set, nil
}

// concerns is true where a changed object is one of the filter's, or where one
// of the filter's starting points changed.
func (c *propertyCollector) concerns(filter *simulator.PropertyFilter, dirty map[types.ManagedObjectReference]bool) bool {
	for _, o := range filter.Spec.ObjectSet {
		if dirty[o.Obj] {
			return true
		}
	}
	for r := range c.shown[filter.Self] {
		if dirty[r] {
			return true
		}
	}
	return false
}

// compare reads a filter's objects and lists what is new, changed and gone.
func (c *propertyCollector) compare(ctx *simulator.Context, self types.ManagedObjectReference, spec types.PropertyFilterSpec) ([]types.ObjectUpdate, *soap.Fault) {
	spec.ReportMissingObjectsInResults = types.NewBool(true)
	body := c.RetrievePropertiesEx(ctx, &types.RetrievePropertiesEx{SpecSet: []types.PropertyFilterSpec{spec}}).(*methods.RetrievePropertiesExBody)
	if body.Fault_ != nil {
		return nil, body.Fault_
	}
	var updates []types.ObjectUpdate
	before, now := c.shown[self], shownFilter{}
	for _, content := range body.Res.Returnval.Objects {
		now[content.Obj] = map[string]any{}
		for _, p := range content.PropSet {
			now[content.Obj][p.Name] = p.Val
		}
		if u := difference(content, before, now[content.Obj]); u != nil {
			updates = append(updates, *u)
		}
	}
	for r := range before {
		if now[r] == nil {
			updates = append(updates, types.ObjectUpdate{Kind: types.ObjectUpdateKindLeave, Obj: r})
		}
	}
	c.shown[self] = now
	return updates, nil
}

// difference is an object's update, nil where nothing changed. Changes of
// quickStats alone are no update: a real server does not announce them.
func difference(content types.ObjectContent, before shownFilter, now map[string]any) *types.ObjectUpdate {
	old, known := before[content.Obj]
	u := &types.ObjectUpdate{Kind: types.ObjectUpdateKindModify, Obj: content.Obj}
	if !known {
		u.Kind = types.ObjectUpdateKindEnter
	}
	for _, p := range content.PropSet {
		isQuiet := known && strings.Contains(p.Name, "quickStats")
		if !isQuiet && !reflect.DeepEqual(old[p.Name], p.Val) {
			u.ChangeSet = append(u.ChangeSet, types.PropertyChange{Op: types.PropertyChangeOpAssign, Name: p.Name, Val: p.Val})
		}
	}
	for name := range old {
		if _, still := now[name]; !still {
			u.ChangeSet = append(u.ChangeSet, types.PropertyChange{Op: types.PropertyChangeOpAssign, Name: name})
		}
	}
	if known && len(u.ChangeSet) == 0 {
		return nil
	}
	return u
}

// cut takes at most that many object updates off the front.
func cut(all []types.PropertyFilterUpdate, most int) (front, rest []types.PropertyFilterUpdate) {
	for i, f := range all {
		if len(f.ObjectSet) <= most {
			front, most = append(front, f), most-len(f.ObjectSet)
			continue
		}
		if most > 0 {
			front = append(front, types.PropertyFilterUpdate{Filter: f.Filter, ObjectSet: f.ObjectSet[:most]})
		}
		rest = append(rest, types.PropertyFilterUpdate{Filter: f.Filter, ObjectSet: f.ObjectSet[most:]})
		return front, append(rest, all[i+1:]...)
	}
	return front, nil
}
