package main

import (
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// postMigrating writes the event at the start of a migration. It alone tells
// where the VM goes; the task's event chain leads to it.
func (w *world) postMigrating(r *relocation) {
	event := &types.VmBeingHotMigratedEvent{DestHost: hostArgument(r.to)}
	event.DestDatastore = w.datastoreArgument(r.vm)
	w.post(event, r.vm, r.from, r.user)
	w.update(r.task.Task, set("info.eventChainId", event.ChainId))
}

// postMigrated writes the event that a finished migration leaves behind.
func (w *world) postMigrated(v *vmState, source *hostState, user string) {
	if source == v.host {
		return
	}
	event := &types.VmMigratedEvent{SourceHost: hostArgument(source), SourceDatastore: w.datastoreArgument(v)}
	w.post(event, v, v.host, user)
}

// post writes an event about a VM on a host.
func (w *world) post(event types.BaseVmEvent, v *vmState, on *hostState, user string) {
	about := event.GetVmEvent()
	host := hostArgument(on)
	about.Host = &host
	about.Vm = &types.VmEventArgument{EntityEventArgument: types.EntityEventArgument{Name: v.spec.Name}, Vm: v.obj.Self}
	about.ComputeResource = &types.ComputeResourceEventArgument{
		EntityEventArgument: types.EntityEventArgument{Name: w.cluster.Name}, ComputeResource: w.cluster.Self,
	}
	about.Datacenter = &types.DatacenterEventArgument{
		EntityEventArgument: types.EntityEventArgument{Name: "datacenter"}, Datacenter: ref("Datacenter", "datacenter-2"),
	}
	about.Ds = w.datastoreArgument(v)
	ctx, session := *w.ctx, *w.ctx.Session
	session.UserName = user
	ctx.Session = &session
	w.ctx.Map.EventManager().PostEvent(&ctx, &types.PostEvent{EventToPost: event.(types.BaseEvent)})
}

func hostArgument(h *hostState) types.HostEventArgument {
	return types.HostEventArgument{EntityEventArgument: types.EntityEventArgument{Name: h.spec.Name}, Host: h.obj.Self}
}

// datastoreArgument names the VM's first datastore; the event's text needs one.
func (w *world) datastoreArgument(v *vmState) *types.DatastoreEventArgument {
	if len(v.spec.Datastores) == 0 {
		return &types.DatastoreEventArgument{Datastore: ref("Datastore", "datastore-unknown")}
	}
	ds := w.datastores[v.spec.Datastores[0]]
	return &types.DatastoreEventArgument{EntityEventArgument: types.EntityEventArgument{Name: ds.Name}, Datastore: ds.Self}
}

// expireSessions ends every session; the next call of each is NotAuthenticated.
func (w *world) expireSessions() int {
	instance := w.ctx.Map.Get(vimServiceInstance).(*simulator.ServiceInstance)
	manager := w.ctx.Session.Get(*instance.Content.SessionManager).(*simulator.SessionManager)
	var ids []string
	for _, s := range manager.SessionList {
		ids = append(ids, s.Key)
	}
	manager.TerminateSession(w.ctx, &types.TerminateSession{This: manager.Self, SessionId: ids})
	return len(ids)
}
