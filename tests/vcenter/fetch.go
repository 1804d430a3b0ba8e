package main

import (
	"reflect"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// FetchResponse is the answer of Fetch; its name is the element's on the wire.
type FetchResponse struct {
	Returnval types.AnyType `xml:"returnval,omitempty,typeattr"`
}

type fetchBody struct {
	Res   *FetchResponse `xml:"FetchResponse,omitempty"`
	fault *soap.Fault
}

// Fault is what went wrong, if anything.
func (b *fetchBody) Fault() *soap.Fault { return b.fault }

// Fetch reads one property of one object: what pyVmomi calls for an attribute.
// An unset property is an empty answer. The request's type is internal to the
// library, hence the look into its fields.
func (c *propertyCollector) Fetch(ctx *simulator.Context, req any) soap.HasFault {
	fields := reflect.ValueOf(req).Elem()
	obj := fields.FieldByName("This").Interface().(types.ManagedObjectReference)
	path := fields.FieldByName("Prop").String()
	read := c.RetrievePropertiesEx(ctx, &types.RetrievePropertiesEx{SpecSet: []types.PropertyFilterSpec{{
		ObjectSet: []types.ObjectSpec{{Obj: obj}},
		PropSet:   []types.PropertySpec{{Type: obj.Type, PathSet: []string{path}}},
	}}}).(*methods.RetrievePropertiesExBody)
	if read.Fault_ != nil {
		return &fetchBody{fault: read.Fault_}
	}
	body := &fetchBody{Res: new(FetchResponse)}
	for _, content := range read.Res.Returnval.Objects {
		for _, p := range content.PropSet {
			body.Res.Returnval = p.Val
		}
	}
	return body
}
