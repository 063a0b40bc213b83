// A client driver: the workflow methods of the Dapr client of Dapr's Go SDK, which speak Dapr's gRPC API, Beta1.
//
// Lines of JSON on stdin ask, lines of JSON on stdout answer, in any order; logs go to stderr. spec/DRIVERS.md
// describes the protocol. Whatever the SDK does is reported as it is.
package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log"
	"maps"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/dapr/go-sdk/client"
)

const sdk = "github.com/dapr/go-sdk"

// statuses are the words of the API, which the SDK hands on as they come.
var statuses = []string{
	"PENDING", "RUNNING", "SUSPENDED", "COMPLETED", "FAILED", "TERMINATED", "CANCELED", "CONTINUED_AS_NEW", "UNKNOWN",
}

type request struct {
	ID                 int64
	Op, Workflow, Name string
	Instance           string
	Endpoint           struct{ GRPC, Token string }
	Raw                *string
	Input, Data        json.RawMessage
}

type object map[string]any

type operation func(context.Context, client.Client, request) (object, error)

var operations = map[string]operation{
	"start":       start,
	"get":         get,
	"pause":       pause,
	"resume":      resume,
	"terminate":   terminate,
	"purge":       purge,
	"raise_event": raise,
}

func start(ctx context.Context, c client.Client, r request) (object, error) {
	started, err := c.StartWorkflowBeta1(ctx, &client.StartWorkflowRequest{
		InstanceID:   r.Instance,
		WorkflowName: r.Workflow,
		Input:        payload(r.Input, r.Raw),
		SendRawInput: r.Raw != nil,
	})
	if err != nil {
		return nil, err
	}
	return object{"instance": started.InstanceID}, nil
}

func get(ctx context.Context, c client.Client, r request) (object, error) {
	state, err := c.GetWorkflowBeta1(ctx, &client.GetWorkflowRequest{InstanceID: r.Instance})
	if err != nil {
		return nil, err
	}
	if state.RuntimeStatus == "" { // all that tells that there is no such instance
		return object{"state": nil}, nil
	}
	return object{"state": shown(state)}, nil
}

func pause(ctx context.Context, c client.Client, r request) (object, error) {
	return object{}, c.PauseWorkflowBeta1(ctx, &client.PauseWorkflowRequest{InstanceID: r.Instance})
}

func resume(ctx context.Context, c client.Client, r request) (object, error) {
	return object{}, c.ResumeWorkflowBeta1(ctx, &client.ResumeWorkflowRequest{InstanceID: r.Instance})
}

func terminate(ctx context.Context, c client.Client, r request) (object, error) {
	return object{}, c.TerminateWorkflowBeta1(ctx, &client.TerminateWorkflowRequest{InstanceID: r.Instance})
}

func purge(ctx context.Context, c client.Client, r request) (object, error) {
	return object{}, c.PurgeWorkflowBeta1(ctx, &client.PurgeWorkflowRequest{InstanceID: r.Instance})
}

func raise(ctx context.Context, c client.Client, r request) (object, error) {
	return object{}, c.RaiseEventWorkflowBeta1(ctx, &client.RaiseEventWorkflowRequest{
		InstanceID:  r.Instance,
		EventName:   r.Name,
		EventData:   payload(r.Data, r.Raw),
		SendRawData: r.Raw != nil,
	})
}

func payload(value json.RawMessage, raw *string) any {
	if raw != nil {
		return []byte(*raw)
	}
	if value != nil {
		return value
	}
	return nil
}

func shown(state *client.GetWorkflowResponse) object {
	var failure any
	if kind := property(state, "failure.error_type"); kind != nil {
		message, stack := property(state, "failure.error_message"), property(state, "failure.stack_trace")
		failure = object{"type": kind, "message": message, "stack": stack}
	}
	return object{
		"instance":      state.InstanceID,
		"status":        state.RuntimeStatus,
		"workflow":      state.WorkflowName,
		"created_at":    state.CreatedAt.Format(time.RFC3339Nano),
		"updated_at":    state.LastUpdatedAt.Format(time.RFC3339Nano),
		"input":         property(state, "input"),
		"output":        property(state, "output"),
		"custom_status": property(state, "custom_status"),
		"failure":       failure,
	}
}

func property(state *client.GetWorkflowResponse, name string) any {
	value, there := state.Properties["dapr.workflow."+name]
	if !there {
		return nil
	}
	return value
}

func hello() object {
	build, _ := debug.ReadBuildInfo()
	at := slices.IndexFunc(build.Deps, func(one *debug.Module) bool { return one.Path == sdk })
	names := map[string]string{}
	for _, name := range statuses {
		names[name] = name
	}
	return object{
		"protocol": 1,
		"role":     "client",
		"sdk":      object{"name": sdk, "version": strings.TrimPrefix(build.Deps[at].Version, "v"), "language": "go"},
		"surface":  "dapr_grpc",
		"verbs":    slices.Sorted(maps.Keys(operations)),
		"fields":   []string{"workflow", "created_at", "updated_at", "input", "output", "custom_status", "failure"},
		"errors":   []string{}, // the SDK keeps no more of gRPC's error than its text
		"statuses": names,
		"options":  []string{"raw"},
	}
}

func failed(class string, err error) object {
	return object{"error": object{"class": class, "type": fmt.Sprintf("%T", err), "message": err.Error()}}
}

func answer(c client.Client, r request, line []byte) object {
	strict := json.NewDecoder(bytes.NewReader(line))
	strict.DisallowUnknownFields()
	operation, known := operations[r.Op]
	if err := strict.Decode(&r); err != nil || !known {
		return failed("unsupported", cmp.Or(err, fmt.Errorf("no operation %q", r.Op)))
	}
	ok, err := operation(context.Background(), c, r)
	if err != nil {
		return failed("other", err)
	}
	return object{"ok": ok}
}

func say(id int64, answer object) {
	answer["id"] = id
	line, _ := json.Marshal(answer)
	var ascii strings.Builder
	for _, unit := range utf16.Encode([]rune(string(line))) {
		if unit < 0x80 {
			ascii.WriteByte(byte(unit))
		} else {
			fmt.Fprintf(&ascii, "\\u%04x", unit)
		}
	}
	fmt.Println(ascii.String()) // one write, which the runtime keeps whole
}

func main() {
	var sidecar client.Client
	for lines := bufio.NewReader(os.Stdin); ; {
		line, err := lines.ReadBytes('\n')
		var r request
		if err != nil || json.Unmarshal(line, &r) != nil {
			return // nobody asks any more
		}
		switch r.Op {
		case "stop":
			say(r.ID, object{"ok": object{}})
			return
		case "hello":
			os.Setenv("DAPR_GRPC_ENDPOINT", r.Endpoint.GRPC)
			os.Setenv("DAPR_API_TOKEN", r.Endpoint.Token)
			client.SetLogger(log.Default()) // by itself the SDK logs to stdout
			if sidecar, err = client.NewClient(); err != nil {
				say(r.ID, failed("unavailable", err))
				os.Exit(1)
			}
			say(r.ID, object{"ok": hello()})
		default:
			go func() { say(r.ID, answer(sidecar, r, line)) }()
		}
	}
}
