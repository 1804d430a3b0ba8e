package main

import (
	"fmt"
	"slices"

	"github.com/vmware/govmomi/vim25/types"
)

// groupBook keeps the cluster's DRS groups, in the order they were made.
type groupBook struct {
	vmGroups   []*types.ClusterVmGroup
	hostGroups []*types.ClusterHostGroup
}

func (g *groupBook) vmGroup(name string) *types.ClusterVmGroup {
	for _, group := range g.vmGroups {
		if group.Name == name {
			return group
		}
	}
	group := &types.ClusterVmGroup{ClusterGroupInfo: groupInfo(name)}
	g.vmGroups = append(g.vmGroups, group)
	return group
}

func (g *groupBook) hostGroup(name string) *types.ClusterHostGroup {
	for _, group := range g.hostGroups {
		if group.Name == name {
			return group
		}
	}
	group := &types.ClusterHostGroup{ClusterGroupInfo: groupInfo(name)}
	g.hostGroups = append(g.hostGroups, group)
	return group
}

func groupInfo(name string) types.ClusterGroupInfo {
	return types.ClusterGroupInfo{Name: name, UserCreated: types.NewBool(true), UniqueID: stableUUID("group", name)}
}

// wire lists all groups as the cluster shows them.
func (g *groupBook) wire() []types.BaseClusterGroupInfo {
	var all []types.BaseClusterGroupInfo
	for _, group := range g.vmGroups {
		all = append(all, group)
	}
	for _, group := range g.hostGroups {
		all = append(all, group)
	}
	return all
}

// addRules checks the file's rules and shows groups, rules and overrides.
func (b *builder) addRules() error {
	for _, rule := range b.snap.Rules {
		if err := b.resolveRule(rule); err != nil {
			return err
		}
	}
	for _, v := range b.vms {
		for _, name := range v.spec.Groups {
			group := b.groups.vmGroup(name)
			group.Vm = addRef(group.Vm, v.obj.Self)
		}
	}
	for _, h := range b.hosts {
		for _, name := range h.spec.Groups {
			group := b.groups.hostGroup(name)
			group.Host = addRef(group.Host, h.obj.Self)
		}
	}
	config := b.cluster.ConfigurationEx.(*types.ClusterConfigInfoEx)
	config.Rule, config.Group = b.wireRules()
	config.DrsVmConfig = b.overrides()
	return nil
}

// resolveRule turns names into ids and refuses members that do not exist.
func (w *world) resolveRule(rule *Rule) error {
	if !slices.Contains([]string{"affinity", "anti_affinity", "vm_host_affine", "vm_host_anti_affine"}, rule.Type) {
		return fmt.Errorf("rule %q has unknown type %q", rule.Name, rule.Type)
	}
	for i, key := range rule.VMs {
		v := w.findVM(key)
		if v == nil {
			return fmt.Errorf("rule %q names unknown vm %q", rule.Name, key)
		}
		rule.VMs[i] = v.spec.ID
	}
	for i, key := range rule.Hosts {
		h := w.findHost(key)
		if h == nil {
			return fmt.Errorf("rule %q names unknown host %q", rule.Name, key)
		}
		rule.Hosts[i] = h.spec.ID
	}
	return nil
}

// wireRules writes the rules as the cluster shows them. A VM-host rule names
// two groups, which are made for it.
func (w *world) wireRules() ([]types.BaseClusterRuleInfo, []types.BaseClusterGroupInfo) {
	var rules []types.BaseClusterRuleInfo
	for i, rule := range w.snap.Rules {
		info := types.ClusterRuleInfo{
			Key: int32(i + 1), Status: types.ManagedEntityStatusGreen, Name: rule.Name,
			Enabled: types.NewBool(yes(rule.Enabled)), Mandatory: types.NewBool(yes(rule.Mandatory)),
			UserCreated: types.NewBool(true), RuleUuid: stableUUID("rule", rule.Name),
		}
		rules = append(rules, w.wireRule(rule, info))
	}
	return rules, w.groups.wire()
}

func (w *world) wireRule(rule *Rule, info types.ClusterRuleInfo) types.BaseClusterRuleInfo {
	members := refs("VirtualMachine", rule.VMs)
	switch rule.Type {
	case "affinity":
		return &types.ClusterAffinityRuleSpec{ClusterRuleInfo: info, Vm: members}
	case "anti_affinity":
		return &types.ClusterAntiAffinityRuleSpec{ClusterRuleInfo: info, Vm: members}
	}
	vms, hosts := w.groups.vmGroup(rule.Name+" vms"), w.groups.hostGroup(rule.Name+" hosts")
	vms.Vm, hosts.Host = members, refs("HostSystem", rule.Hosts)
	wire := &types.ClusterVmHostRuleInfo{ClusterRuleInfo: info, VmGroupName: vms.Name}
	if rule.Type == "vm_host_affine" {
		wire.AffineHostGroupName = hosts.Name
	} else {
		wire.AntiAffineHostGroupName = hosts.Name
	}
	return wire
}

func refs(kind string, ids []string) []types.ManagedObjectReference {
	var all []types.ManagedObjectReference
	for _, id := range ids {
		all = append(all, ref(kind, id))
	}
	return all
}

func addRef(list []types.ManagedObjectReference, r types.ManagedObjectReference) []types.ManagedObjectReference {
	if slices.Contains(list, r) {
		return list
	}
	return append(list, r)
}

// overrides lists the VMs whose automation differs from full.
func (w *world) overrides() []types.ClusterDrsVmConfigInfo {
	var all []types.ClusterDrsVmConfigInfo
	for _, v := range w.vms {
		switch v.spec.Automation {
		case "", "fullyAutomated":
		case "disabled":
			all = append(all, types.ClusterDrsVmConfigInfo{Key: v.obj.Self, Enabled: types.NewBool(false)})
		default:
			behavior := types.DrsBehavior(v.spec.Automation)
			all = append(all, types.ClusterDrsVmConfigInfo{Key: v.obj.Self, Enabled: types.NewBool(true), Behavior: behavior})
		}
	}
	return all
}

// changeRules removes and adds rules while the server runs.
func (w *world) changeRules(add []*Rule, remove []string) error {
	for _, name := range remove {
		if !slices.ContainsFunc(w.snap.Rules, func(r *Rule) bool { return r.Name == name }) {
			return fmt.Errorf("there is no rule %q", name)
		}
	}
	for _, rule := range add {
		if err := w.resolveRule(rule); err != nil {
			return err
		}
	}
	kept := slices.DeleteFunc(slices.Clone(w.snap.Rules), func(r *Rule) bool { return slices.Contains(remove, r.Name) })
	w.snap.Rules = append(kept, add...)
	config := *w.cluster.ConfigurationEx.(*types.ClusterConfigInfoEx)
	config.Rule, config.Group = w.wireRules()
	w.update(w.cluster, set("configurationEx", &config))
	return nil
}

// clusterConfig is the cluster's DRS and HA configuration without rules.
func clusterConfig(snap *Snapshot) *types.ClusterConfigInfoEx {
	config := &types.ClusterConfigInfoEx{}
	config.VmSwapPlacement = string(types.VirtualMachineConfigInfoSwapPlacementTypeVmDirectory)
	drs := &config.DrsConfig
	drs.Enabled, drs.EnableVmBehaviorOverrides = types.NewBool(false), types.NewBool(true)
	drs.DefaultVmBehavior, drs.VmotionRate = types.DrsBehaviorManual, 3
	if d := snap.Cluster.DRS; d != nil {
		drs.Enabled = types.NewBool(d.Enabled)
		if d.Automation != "" {
			drs.DefaultVmBehavior = types.DrsBehavior(d.Automation)
		}
		if d.VMotionRate != 0 {
			drs.VmotionRate = d.VMotionRate
		}
	}
	config.DasConfig.Enabled = types.NewBool(false)
	config.DasConfig.AdmissionControlEnabled = types.NewBool(false)
	if ha := snap.Cluster.HA; ha != nil {
		config.DasConfig.Enabled = types.NewBool(ha.Enabled)
		config.DasConfig.AdmissionControlPolicy = admissionPolicy(ha)
		config.DasConfig.AdmissionControlEnabled = types.NewBool(config.DasConfig.AdmissionControlPolicy != nil)
	}
	return config
}

// admissionPolicy picks the policy that the file's HA numbers describe.
func admissionPolicy(ha *HA) types.BaseClusterDasAdmissionControlPolicy {
	switch {
	case len(ha.FailoverHosts) > 0:
		return &types.ClusterFailoverHostAdmissionControlPolicy{FailoverHosts: refs("HostSystem", ha.FailoverHosts)}
	case ha.CPUReservePercent != nil || ha.MemoryReservePercent != nil:
		return &types.ClusterFailoverResourcesAdmissionControlPolicy{
			CpuFailoverResourcesPercent:    whole(value(ha.CPUReservePercent)),
			MemoryFailoverResourcesPercent: whole(value(ha.MemoryReservePercent)),
			AutoComputePercentages:         types.NewBool(false),
		}
	case ha.HostFailures != nil:
		return &types.ClusterFailoverLevelAdmissionControlPolicy{FailoverLevel: *ha.HostFailures}
	}
	return nil
}
