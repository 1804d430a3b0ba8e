package main

import (
	"strings"
	"testing"
)

func TestAFileThatCannotBeServedNamesEveryProblem(t *testing.T) {
	snap := &Snapshot{
		Schema:  "something/else",
		Cluster: Cluster{ID: "domain-c1"},
		Hosts:   []*Host{{ID: "host-1"}, {ID: "host-1"}},
		VMs:     []*VM{{ID: "vm-1", Host: "host-9"}},
	}
	err := snap.check()
	if err == nil {
		t.Fatal("no problem was found")
	}
	for _, want := range []string{"schema is", `"host-1" is missing or used twice`, `unknown host "host-9"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not name %q", err, want)
		}
	}
}

func TestRulesOverMissingMembersAreRefused(t *testing.T) {
	snap := &Snapshot{
		Schema: "balancer/snapshot/v1", Cluster: Cluster{ID: "domain-c1", Name: "c"},
		Hosts: []*Host{{ID: "host-1", Name: "a", CPUCapacityMHz: 10000, MemoryCapacityMiB: 1000}},
		Rules: []*Rule{{Name: "r", Type: "affinity", VMs: []string{"vm-7"}}},
	}
	if _, err := newWorld(snap, options{hostSlots: 8}); err == nil || !strings.Contains(err.Error(), `unknown vm "vm-7"`) {
		t.Errorf("the error is %v", err)
	}
}

func TestUUIDsAreStableAndWellFormed(t *testing.T) {
	a, b := stableUUID("vm", "1"), stableUUID("vm", "2")
	if a == b || a != stableUUID("vm", "1") || len(a) != 36 || a[14] != '4' {
		t.Errorf("%s and %s", a, b)
	}
}
