package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// accountName is an account as vCenter writes it: DOMAIN\user for what logged
// in as user@domain. The library keeps what was typed.
func accountName(login string) string {
	user, domain, found := strings.Cut(login, "@")
	if !found {
		return login
	}
	return strings.ToUpper(domain) + `\` + user
}

// forgetTasks lets ended tasks fall out of the recent ones, as a real server
// does after ten minutes: nobody can ask for them any more, and the task
// history still has them.
func (c *control) forgetTasks(req *http.Request) (any, error) {
	var ask struct {
		Task string `json:"task"`
	}
	if err := read(req, &ask); err != nil {
		return nil, err
	}
	forgotten := 0
	for _, r := range c.world.relocations {
		if r.task == nil || !r.task.isOver() || (ask.Task != "" && r.task.Self.Value != ask.Task) {
			continue
		}
		if c.world.ctx.Map.Get(r.task.Self) != nil {
			c.world.forget(r)
			forgotten++
		}
	}
	if ask.Task != "" && forgotten == 0 {
		return nil, fmt.Errorf("ended task %q: %w", ask.Task, errNotThere)
	}
	return map[string]int{"forgotten": forgotten}, nil
}

func (w *world) forget(r *relocation) {
	manager := w.ctx.Map.Get(*w.ctx.Map.Get(vimServiceInstance).(*simulator.ServiceInstance).Content.TaskManager).(*simulator.TaskManager)
	w.update(manager, set("recentTask", without(manager.RecentTask, r.task.Self)))
	for _, e := range append([]mo.Entity{r.vm.obj}, r.hostObjects()...) {
		w.update(e, set("recentTask", without(e.Entity().RecentTask, r.task.Self)))
	}
	w.ctx.Map.Remove(w.ctx, r.task.Self)
}

func without(refs []types.ManagedObjectReference, gone types.ManagedObjectReference) []types.ManagedObjectReference {
	return slices.DeleteFunc(slices.Clone(refs), func(r types.ManagedObjectReference) bool { return r == gone })
}

// sessions counts who is logged in.
func (c *control) sessions(*http.Request) (any, error) {
	instance := c.world.ctx.Map.Get(vimServiceInstance).(*simulator.ServiceInstance)
	manager := c.world.ctx.Session.Get(*instance.Content.SessionManager).(*simulator.SessionManager)
	return map[string]int{"sessions": len(manager.SessionList)}, nil
}
