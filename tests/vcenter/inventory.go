package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/simulator/vpx"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

const (
	apiVersion = "8.0.3.0"
	mib        = 1 << 20
)

// builder puts a snapshot's objects into a new registry, parents first.
type builder struct {
	*world
	folders map[string]*simulator.Folder
	pools   map[string]*mo.ResourcePool
	root    *mo.ResourcePool
}

// newWorld builds the inventory: a datacenter with its four folders, the
// cluster, its pools, datastores, networks, hosts and VMs.
func newWorld(snap *Snapshot, opts options) (*world, error) {
	ctx := simulator.NewContext()
	ctx.Session.UserName = "VSPHERE.LOCAL\\vpxd"
	_, instance := simulator.NewServiceInstance(ctx, vpx.ServiceContent, vpx.RootFolder)
	w := &world{
		options: opts, snap: snap, ctx: ctx,
		service:       simulator.New(ctx, instance),
		hostIDs:       map[string]*hostState{},
		vmIDs:         map[string]*vmState{},
		modes:         newEvcOrder(snap.Cluster.EvcModes),
		datastores:    map[string]*mo.Datastore{},
		networks:      map[string]mo.Entity{},
		migrationTime: seconds(opts.migrationSeconds),
		faults:        newFaultBook(),
		bell:          newBell(),
		barred:        map[string]bar{},
	}
	w.announce(instance)
	w.installSingletons()
	b := &builder{world: w, folders: map[string]*simulator.Folder{}, pools: map[string]*mo.ResourcePool{}}
	if err := b.build(); err != nil {
		return nil, err
	}
	return w, ctx.Map.AlignCounter()
}

// announce sets what the server says of itself.
func (w *world) announce(instance *simulator.ServiceInstance) {
	about := &instance.Content.About
	about.ApiVersion = apiVersion
	about.Version = "8.0.3"
	about.FullName = "VMware vCenter Server 8.0.3 build-" + about.Build
	about.InstanceUuid = stableUUID("vcenter", w.snap.Cluster.Name)
	if src := w.snap.Source; src != nil && src.InstanceUUID != "" {
		about.InstanceUuid = src.InstanceUUID
	}
	instance.Capability.SupportedEVCMode = w.modes.wire()
}

func (b *builder) build() error {
	b.completeLists()
	dc := b.datacenter()
	b.addCluster()
	b.addPools()
	for _, d := range b.snap.Datastores {
		b.addDatastore(d)
	}
	for _, n := range b.snap.Networks {
		b.addNetwork(n)
	}
	dc.Datastore, dc.Network = b.cluster.Datastore, b.cluster.Network
	for _, h := range b.snap.Hosts {
		b.addHost(h)
	}
	for _, v := range b.snap.VMs {
		b.addVM(v)
	}
	if err := b.addRules(); err != nil {
		return err
	}
	b.summarise()
	for _, h := range b.hosts {
		b.settle(h, settleFromFile)
	}
	return b.resumeMaintenance()
}

// completeLists adds the datastores, networks and pools that are only named.
func (b *builder) completeLists() {
	for _, v := range b.snap.VMs {
		b.name(v.Datastores, v.Networks)
		known := func(p *ResourcePool) bool { return p.ID == v.ResourcePool }
		if v.ResourcePool != "" && !slices.ContainsFunc(b.snap.ResourcePools, known) {
			b.snap.ResourcePools = append(b.snap.ResourcePools, &ResourcePool{ID: v.ResourcePool, Name: v.ResourcePool})
		}
	}
	for _, h := range b.snap.Hosts {
		b.name(h.Datastores, h.Networks)
	}
}

func (b *builder) name(datastores, networks []string) {
	for _, id := range datastores {
		if !slices.ContainsFunc(b.snap.Datastores, func(d *Datastore) bool { return d.ID == id }) {
			b.snap.Datastores = append(b.snap.Datastores, &Datastore{ID: id, Name: id})
		}
	}
	for _, id := range networks {
		if !slices.ContainsFunc(b.snap.Networks, func(n *Network) bool { return n.ID == id }) {
			b.snap.Networks = append(b.snap.Networks, &Network{ID: id, Name: id})
		}
	}
}

// datacenter makes the datacenter and its four folders.
func (b *builder) datacenter() *simulator.Datacenter {
	root := b.ctx.Map.Get(b.ctx.Map.Get(vimServiceInstance).(*simulator.ServiceInstance).Content.RootFolder).(*simulator.Folder)
	dc := &simulator.Datacenter{}
	dc.Self = ref("Datacenter", "datacenter-2")
	dc.Name = "datacenter"
	dc.Parent = &root.Self
	b.ctx.Map.Put(dc)
	root.ChildEntity = append(root.ChildEntity, dc.Self)
	for _, f := range []struct {
		name  string
		field *types.ManagedObjectReference
		kinds []string
	}{
		{"vm", &dc.VmFolder, []string{"Folder", "VirtualMachine", "VirtualApp"}},
		{"host", &dc.HostFolder, []string{"Folder", "ComputeResource"}},
		{"datastore", &dc.DatastoreFolder, []string{"Folder", "Datastore", "StoragePod"}},
		{"network", &dc.NetworkFolder, []string{"Folder", "Network", "DistributedVirtualSwitch"}},
	} {
		folder := b.newFolder(dc.Self, f.name, "group-"+f.name[:1]+"3", f.kinds)
		*f.field = folder.Self
		b.folders[f.name] = folder
	}
	return dc
}

func (b *builder) newFolder(parent types.ManagedObjectReference, name, id string, kinds []string) *simulator.Folder {
	folder := &simulator.Folder{}
	folder.Self = ref("Folder", id)
	folder.Name = name
	folder.Parent = &parent
	folder.ChildType = kinds
	b.ctx.Map.Put(folder)
	return folder
}

// vmFolder finds or makes the folder with the given path below "vm".
func (b *builder) vmFolder(path string) *simulator.Folder {
	folder, key := b.folders["vm"], "vm"
	for _, name := range strings.FieldsFunc(path, func(r rune) bool { return r == '/' }) {
		key += "/" + name
		child, ok := b.folders[key]
		if !ok {
			child = b.newFolder(folder.Self, name, fmt.Sprintf("group-v%d", 1000+len(b.folders)), folder.ChildType)
			folder.ChildEntity = append(folder.ChildEntity, child.Self)
			b.folders[key] = child
		}
		folder = child
	}
	return folder
}

// addCluster makes the cluster and its root resource pool.
func (b *builder) addCluster() {
	spec := b.snap.Cluster
	c := &clusterObject{world: b.world}
	c.Self = ref("ClusterComputeResource", spec.ID)
	c.Name = spec.Name
	c.Parent = &b.folders["host"].Self
	c.ConfigurationEx = clusterConfig(b.snap)
	c.Summary = new(types.ClusterComputeResourceSummary)
	b.cluster = c
	b.installEvcManager()
	b.ctx.Map.Put(c)
	b.folders["host"].ChildEntity = append(b.folders["host"].ChildEntity, c.Self)
}

// summarise works the cluster's totals out.
func (w *world) summarise() {
	s := &types.ClusterComputeResourceSummary{UsageSummary: new(types.ClusterUsageSummary)}
	for _, h := range w.hosts {
		hw := h.obj.Summary.Hardware
		s.TotalCpu += int32(h.spec.CPUCapacityMHz)
		s.TotalMemory += hw.MemorySize
		s.NumCpuCores += hw.NumCpuCores
		s.NumCpuThreads += hw.NumCpuThreads
		s.NumHosts++
		if h.state() == "connected" {
			s.EffectiveCpu += int32(h.spec.CPUCapacityMHz)
			s.EffectiveMemory += int64(h.spec.MemoryCapacityMiB)
			s.NumEffectiveHosts++
		}
	}
	s.OverallStatus = types.ManagedEntityStatusGreen
	if mode := w.snap.Cluster.EvcMode; mode != nil {
		s.CurrentEVCModeKey = *mode
	}
	w.update(w.cluster, set("summary", s))
}

// stableUUID derives a uuid from names, so that two starts agree.
func stableUUID(parts ...string) string {
	sum := fingerprint(strings.Join(parts, "/"))
	sum[6], sum[8] = sum[6]&0x0f|0x40, sum[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[0:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
