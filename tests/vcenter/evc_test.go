package main

import "testing"

func TestAModeRunsWhatItsTrackContains(t *testing.T) {
	order := newEvcOrder([]EvcMode{
		{Key: "old", Vendor: "intel", Tier: 1, Track: []string{"old"}},
		{Key: "new", Vendor: "intel", Tier: 2, Track: []string{"old", "new"}},
		{Key: "side", Vendor: "intel", Tier: 2, Track: []string{"side"}},
		{Key: "other", Vendor: "amd", Tier: 3, Track: []string{"old", "new", "other"}},
		{Key: "weak", Vendor: "intel", Tier: 0, Track: []string{"old", "new", "weak"}},
	})
	for _, c := range []struct {
		have, need string
		refuses    bool
	}{
		{"new", "old", false},
		{"new", "new", false},
		{"old", "new", true},
		{"new", "side", true},
		{"other", "new", true},
		{"weak", "new", true},
		{"new", "unheard of", false},
		{"", "new", false},
	} {
		if got := order.refuses(c.have, c.need); got != c.refuses {
			t.Errorf("a host of %q refuses a VM of %q: %v, want %v", c.have, c.need, got, c.refuses)
		}
	}
}

func TestFeatureRequirementsAreComparedByTheirOperator(t *testing.T) {
	for _, c := range []struct {
		have, need string
		met        bool
	}{
		{"1", "Bool:Min:1", true},
		{"", "Bool:Min:1", false},
		{"0x10", "Num:Min:16", true},
		{"2", "Num:Match:1", false},
		{"1", "Match:1", true},
		{"0", "Num:Unheard:1", true},
		{"0", "nonsense", true},
	} {
		if got := meets(c.have, c.need); got != c.met {
			t.Errorf("%q meets %q: %v, want %v", c.have, c.need, got, c.met)
		}
	}
}
