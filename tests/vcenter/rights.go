package main

import (
	"net/http"
	"slices"
	"strings"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// rightsBook says which privileges the account holds: on single objects, and on
// all others. Only questions about rights are answered from it: a call that
// lacks a privilege is refused with an injected fault where a test wants that.
type rightsBook struct {
	Everywhere []string            `json:"everywhere"`
	On         map[string][]string `json:"on"`
}

func (r *rightsBook) heldOn(id string) []string {
	if held, ok := r.On[id]; ok {
		return held
	}
	return r.Everywhere
}

// authorizationManager answers questions about rights from the world's book.
type authorizationManager struct {
	simulator.AuthorizationManager
	world *world
}

// installRights makes the account an administrator until the control says
// otherwise, and lists every privilege there is.
func (w *world) installRights(content types.ServiceContent) {
	manager := &authorizationManager{world: w}
	manager.AuthorizationManager = *w.ctx.Map.Get(*content.AuthorizationManager).(*simulator.AuthorizationManager)
	every := object.AuthorizationRoleList(manager.RoleList).ByName("Admin").Privilege
	w.rights = &rightsBook{Everywhere: every}
	for _, id := range every {
		dot := strings.LastIndex(id, ".")
		manager.PrivilegeList = append(manager.PrivilegeList, types.AuthorizationPrivilege{
			PrivId: id, PrivGroupName: id[:dot], Name: id[dot+1:], OnParent: strings.HasPrefix(id, "System."),
		})
	}
	w.ctx.Map.Put(manager)
}

// HasPrivilegeOnEntities answers for the session that is asked about.
func (m *authorizationManager) HasPrivilegeOnEntities(req *types.HasPrivilegeOnEntities) soap.HasFault {
	return &methods.HasPrivilegeOnEntitiesBody{
		Res: &types.HasPrivilegeOnEntitiesResponse{Returnval: m.availability(req.Entity, req.PrivId)},
	}
}

// HasUserPrivilegeOnEntities answers for the only user that there is.
func (m *authorizationManager) HasUserPrivilegeOnEntities(req *types.HasUserPrivilegeOnEntities) soap.HasFault {
	return &methods.HasUserPrivilegeOnEntitiesBody{
		Res: &types.HasUserPrivilegeOnEntitiesResponse{Returnval: m.availability(req.Entities, req.PrivId)},
	}
}

func (m *authorizationManager) availability(entities []types.ManagedObjectReference, ids []string) []types.EntityPrivilege {
	var all []types.EntityPrivilege
	for _, entity := range entities {
		held := m.world.rights.heldOn(entity.Value)
		row := types.EntityPrivilege{Entity: entity}
		for _, id := range ids {
			row.PrivAvailability = append(row.PrivAvailability, types.PrivilegeAvailability{
				PrivId: id, IsGranted: slices.Contains(held, id),
			})
		}
		all = append(all, row)
	}
	return all
}

// FetchUserPrivilegeOnEntities lists what the only user holds.
func (m *authorizationManager) FetchUserPrivilegeOnEntities(req *types.FetchUserPrivilegeOnEntities) soap.HasFault {
	var all []types.UserPrivilegeResult
	for _, entity := range req.Entities {
		held := m.world.rights.heldOn(entity.Value)
		all = append(all, types.UserPrivilegeResult{Entity: entity, Privileges: held})
	}
	return &methods.FetchUserPrivilegeOnEntitiesBody{
		Res: &types.FetchUserPrivilegeOnEntitiesResponse{Returnval: all},
	}
}

// changeRights replaces what the account holds.
func (c *control) changeRights(req *http.Request) (any, error) {
	book := new(rightsBook)
	if err := read(req, book); err != nil {
		return nil, err
	}
	c.world.rights = book
	return done(), nil
}
