package main

import (
	"strings"

	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

const rootPoolName = "Resources"

// addPools makes the cluster's root pool and the file's pools below it. A pool
// without parent that is itself called "Resources" is the root pool.
func (b *builder) addPools() {
	root := &ResourcePool{ID: "resgroup-" + strings.TrimPrefix(b.snap.Cluster.ID, "domain-"), Name: rootPoolName}
	for _, p := range b.snap.ResourcePools {
		if p.Parent == nil && p.Name == rootPoolName {
			root = p
		}
	}
	b.root = b.newPool(root)
	b.root.Parent = &b.cluster.Self
	b.cluster.ResourcePool = &b.root.Self
	for _, p := range b.snap.ResourcePools {
		if p != root {
			b.newPool(p)
		}
	}
	for _, p := range b.snap.ResourcePools {
		if p != root {
			b.hang(p)
		}
	}
}

func (b *builder) newPool(spec *ResourcePool) *mo.ResourcePool {
	pool := &mo.ResourcePool{Owner: b.cluster.Self}
	pool.Self = ref("ResourcePool", spec.ID)
	pool.Name = spec.Name
	pool.Config.Entity = &pool.Self
	pool.Config.CpuAllocation = allocation(value(spec.CPUReservationMHz), spec.CPULimitMHz, spec.CPUShares, 4000)
	pool.Config.MemoryAllocation = allocation(value(spec.MemoryReservationMiB), spec.MemoryLimitMiB, spec.MemoryShares, 163840)
	pool.Runtime.OverallStatus = types.ManagedEntityStatusGreen
	pool.Summary = &types.ResourcePoolSummary{Name: spec.Name, Config: pool.Config, Runtime: pool.Runtime}
	b.pools[spec.ID] = pool
	b.ctx.Map.Put(pool)
	return pool
}

// hang puts a pool below its parent, or below the root pool.
func (b *builder) hang(spec *ResourcePool) {
	parent := b.root
	if spec.Parent != nil {
		if p, ok := b.pools[*spec.Parent]; ok {
			parent = p
		}
	}
	pool := b.pools[spec.ID]
	pool.Parent = &parent.Self
	parent.ResourcePool = append(parent.ResourcePool, pool.Self)
}

// poolOf is the pool a VM runs in.
func (b *builder) poolOf(spec *VM) *mo.ResourcePool {
	if pool, ok := b.pools[spec.ResourcePool]; ok {
		return pool
	}
	return b.root
}

// allocation is a reservation, limit and shares as vSphere writes them: a limit
// of -1 is none, and shares count only at level custom.
func allocation(reservation float64, limit, shares *float64, normalShares int32) types.ResourceAllocationInfo {
	info := types.ResourceAllocationInfo{
		Reservation:           types.NewInt64(int64(reservation)),
		ExpandableReservation: types.NewBool(false),
		Limit:                 types.NewInt64(-1),
		Shares:                &types.SharesInfo{Shares: normalShares, Level: types.SharesLevelNormal},
	}
	if limit != nil {
		info.Limit = types.NewInt64(int64(*limit))
	}
	if shares != nil && int32(*shares) != normalShares {
		info.Shares = &types.SharesInfo{Shares: int32(*shares), Level: types.SharesLevelCustom}
	}
	return info
}

func (b *builder) addDatastore(spec *Datastore) {
	ds := &mo.Datastore{}
	ds.Self = ref("Datastore", spec.ID)
	ds.Name = spec.Name
	ds.Parent = &b.folders["datastore"].Self
	kind := spec.Kind
	if kind == "" {
		kind = "VMFS"
	}
	ds.Summary = types.DatastoreSummary{
		Datastore: &ds.Self, Name: spec.Name, Url: "ds:///vmfs/volumes/" + spec.ID + "/", Type: kind,
		Capacity:           int64(datastoreMiB(spec.CapacityMiB, 10<<20)) * mib,
		FreeSpace:          int64(datastoreMiB(spec.FreeMiB, 5<<20)) * mib,
		Accessible:         spec.State != "inaccessible",
		MultipleHostAccess: types.NewBool(false),
		MaintenanceMode:    datastoreMode(spec.State),
	}
	ds.Info = &types.DatastoreInfo{Name: spec.Name, Url: ds.Summary.Url, FreeSpace: ds.Summary.FreeSpace}
	b.datastores[spec.ID] = ds
	b.ctx.Map.Put(ds)
	b.folders["datastore"].ChildEntity = append(b.folders["datastore"].ChildEntity, ds.Self)
	b.cluster.Datastore = append(b.cluster.Datastore, ds.Self)
}

func datastoreMiB(known *float64, otherwise float64) float64 {
	if known == nil {
		return otherwise
	}
	return *known
}

func datastoreMode(state string) string {
	switch state {
	case "maintenance":
		return string(types.DatastoreSummaryMaintenanceModeStateInMaintenance)
	case "entering_maintenance":
		return string(types.DatastoreSummaryMaintenanceModeStateEnteringMaintenance)
	}
	return string(types.DatastoreSummaryMaintenanceModeStateNormal)
}

// mount makes a datastore reachable for a host, or visible but unreachable
// where the datastore itself is down.
func (b *builder) mount(ds *mo.Datastore, host *hostObject) {
	ds.Host = append(ds.Host, types.DatastoreHostMount{
		Key: host.Self,
		MountInfo: types.HostMountInfo{
			Path:       "/vmfs/volumes/" + ds.Self.Value,
			AccessMode: string(types.HostMountModeReadWrite),
			Mounted:    types.NewBool(true),
			Accessible: types.NewBool(ds.Summary.Accessible),
		},
	})
	ds.Summary.MultipleHostAccess = types.NewBool(len(ds.Host) > 1)
	host.Datastore = append(host.Datastore, ds.Self)
}

// addNetwork makes a distributed port group for an id of that kind, else a
// standard network.
func (b *builder) addNetwork(spec *Network) {
	network := mo.Network{Name: spec.Name}
	network.Parent = &b.folders["network"].Self
	network.Entity().Name = spec.Name
	var entity mo.Entity
	if strings.HasPrefix(spec.ID, "dvportgroup-") {
		network.Self = ref("DistributedVirtualPortgroup", spec.ID)
		group := &mo.DistributedVirtualPortgroup{Network: network, Key: spec.ID}
		group.Config = types.DVPortgroupConfigInfo{Key: spec.ID, Name: spec.Name, Type: "earlyBinding", BackingType: "standard"}
		entity = group
	} else {
		network.Self = ref("Network", spec.ID)
		entity = &network
	}
	self := entity.Reference()
	networkOf(entity).Summary = &types.NetworkSummary{Network: &self, Name: spec.Name, Accessible: true}
	b.networks[spec.ID] = entity
	b.ctx.Map.Put(entity)
	b.folders["network"].ChildEntity = append(b.folders["network"].ChildEntity, self)
	b.cluster.Network = append(b.cluster.Network, self)
}

// networkOf is the common part of both kinds of network.
func networkOf(entity mo.Entity) *mo.Network {
	if group, ok := entity.(*mo.DistributedVirtualPortgroup); ok {
		return &group.Network
	}
	return entity.(*mo.Network)
}
