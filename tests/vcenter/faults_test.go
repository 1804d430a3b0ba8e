package main

import (
	"strings"
	"testing"

	"github.com/vmware/govmomi/vim25/types"
)

func TestARuleIsUsedUpAfterItsTimes(t *testing.T) {
	book, twice := newFaultBook(), 2
	if _, err := book.add(faultRule{Fault: "Timedout", Times: &twice}); err != nil {
		t.Fatal(err)
	}
	for i, want := range []bool{true, true, false} {
		if got := book.takeForTask("RelocateVM_Task", nil, nil, nil) != nil; got != want {
			t.Errorf("take %d found a rule: %v, want %v", i+1, got, want)
		}
	}
}

func TestARuleFitsItsVMAndItsHostInItsRole(t *testing.T) {
	vm := &vmState{spec: &VM{ID: "vm-1", Name: "db"}}
	a, b := &hostState{spec: &Host{ID: "host-1", Name: "a"}}, &hostState{spec: &Host{ID: "host-2", Name: "b"}}
	for _, c := range []struct {
		rule faultRule
		fits bool
	}{
		{faultRule{}, true},
		{faultRule{VM: "db"}, true},
		{faultRule{VM: "vm-1"}, true},
		{faultRule{VM: "web"}, false},
		{faultRule{Host: "b", Role: "target"}, true},
		{faultRule{Host: "a", Role: "target"}, false},
		{faultRule{Host: "a", Role: "source"}, true},
		{faultRule{Host: "host-1", Role: "either"}, true},
		{faultRule{VM: "db", Host: "a", Role: "target"}, false},
	} {
		if got := c.rule.fits(vm, a, b); got != c.fits {
			t.Errorf("%+v fits: %v, want %v", c.rule, got, c.fits)
		}
	}
}

func TestWrongRulesAreRefusedWithTheirReason(t *testing.T) {
	zero := 0
	for _, c := range []struct {
		rule faultRule
		want string
	}{
		{faultRule{Fault: "Nonsense"}, "there is no fault"},
		{faultRule{Fault: "TaskInfo"}, "is not a fault"},
		{faultRule{Fault: "Timedout", At: "later"}, "at is"},
		{faultRule{Fault: "Timedout", Role: "friend"}, "role is"},
		{faultRule{Fault: "Timedout", Times: &zero}, "times is 0"},
		{faultRule{Fault: "Timedout", At: "drop_reply"}, "takes a method and times"},
		{faultRule{Fault: "Timedout", Method: "PowerOnVM_Task"}, "no task of"},
	} {
		_, err := newFaultBook().add(c.rule)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.rule, err, c.want)
		}
	}
}

func TestUpdatesAreCutIntoPages(t *testing.T) {
	filters := []types.PropertyFilterUpdate{
		{ObjectSet: make([]types.ObjectUpdate, 3)}, {ObjectSet: make([]types.ObjectUpdate, 2)},
	}
	var sizes []int
	for len(filters) > 0 {
		var page []types.PropertyFilterUpdate
		page, filters = cut(filters, 2)
		n := 0
		for _, f := range page {
			n += len(f.ObjectSet)
		}
		sizes = append(sizes, n)
	}
	if len(sizes) != 3 || sizes[0] != 2 || sizes[1] != 2 || sizes[2] != 1 {
		t.Errorf("pages of %v, want 2, 2, 1", sizes)
	}
}

func TestTheMethodOfARequestIsFound(t *testing.T) {
	for body, want := range map[string]string{
		`<soapenv:Envelope><soapenv:Body><RelocateVM_Task xmlns="urn:vim25">`: "RelocateVM_Task",
		"<Envelope><Body id=\"1\">\n <ns1:Login>":                             "Login",
		"<html></html>": "",
	} {
		if got := soapMethod([]byte(body)); got != want {
			t.Errorf("%s calls %q, want %q", body, got, want)
		}
	}
}
