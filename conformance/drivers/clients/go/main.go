// A client driver: the workflow client of Dapr's Go SDK, which speaks the Durable Task protocol over gRPC.
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
	"errors"
	"fmt"
	"log"
	"maps"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/dapr/durabletask-go/api"
	"github.com/dapr/durabletask-go/workflow"
	"github.com/dapr/go-sdk/client"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

const sdk = "github.com/dapr/go-sdk"

// classes are the words of the protocol for gRPC's codes, which the SDK's errors wrap.
var classes = map[codes.Code]string{
	codes.NotFound:      "not_found",
	codes.AlreadyExists: "conflict", codes.FailedPrecondition: "conflict",
	codes.InvalidArgument: "invalid", codes.ResourceExhausted: "invalid",
	codes.Unavailable: "unavailable", codes.Unauthenticated: "unavailable", codes.PermissionDenied: "unavailable",
	codes.DeadlineExceeded: "timeout",
}

type request struct {
	ID                  int64
	Op, Workflow, Name  string
	Endpoint            struct{ GRPC, Token string }
	Instance, Raw       *string
	Input, Data, Output json.RawMessage
	Delay, Timeout      *float64
	Recursive, Force    *bool
}

type object map[string]any

type operation func(context.Context, *workflow.Client, request) (object, error)

var operations = map[string]operation{
	"start":           start,
	"get":             reading((*workflow.Client).FetchWorkflowMetadata),
	"pause":           reasoned((*workflow.Client).SuspendWorkflow),
	"resume":          reasoned((*workflow.Client).ResumeWorkflow),
	"terminate":       terminate,
	"purge":           purge,
	"raise_event":     raise,
	"wait_start":      reading((*workflow.Client).WaitForWorkflowStart),
	"wait_completion": reading((*workflow.Client).WaitForWorkflowCompletion),
}

func start(ctx context.Context, c *workflow.Client, r request) (object, error) {
	options := given(nil, r.Instance, workflow.WithInstanceID)
	options = payload(options, r.Input, workflow.WithInput)
	options = given(options, r.Raw, func(text string) workflow.NewWorkflowOptions {
		return workflow.WithRawInput(wrapperspb.String(text))
	})
	options = given(options, r.Delay, func(delay float64) workflow.NewWorkflowOptions {
		return workflow.WithStartTime(time.Now().Add(time.Duration(delay * 1e9)))
	})
	id, err := c.ScheduleWorkflow(ctx, r.Workflow, options...)
	return object{"instance": id}, err
}

func terminate(ctx context.Context, c *workflow.Client, r request) (object, error) {
	options := payload(nil, r.Output, workflow.WithOutput)
	options = given(options, r.Recursive, workflow.WithRecursiveTerminate)
	return object{}, c.TerminateWorkflow(ctx, *r.Instance, options...)
}

func purge(ctx context.Context, c *workflow.Client, r request) (object, error) {
	options := given(given(nil, r.Recursive, workflow.WithRecursivePurge), r.Force, workflow.WithForcePurge)
	return object{}, c.PurgeWorkflowState(ctx, *r.Instance, options...)
}

func raise(ctx context.Context, c *workflow.Client, r request) (object, error) {
	options := payload(nil, r.Data, workflow.WithEventPayload)
	options = given(options, r.Raw, func(text string) workflow.RaiseEventOptions {
		return workflow.WithRawEventData(wrapperspb.String(text))
	})
	return object{}, c.RaiseEvent(ctx, *r.Instance, r.Name, options...)
}

func reasoned(do func(*workflow.Client, context.Context, string, string) error) operation {
	return func(ctx context.Context, c *workflow.Client, r request) (object, error) {
		return object{}, do(c, ctx, *r.Instance, "")
	}
}

type fetch = workflow.FetchWorkflowMetadataOptions

func reading(do func(*workflow.Client, context.Context, string, ...fetch) (*workflow.WorkflowMetadata, error)) operation {
	return func(ctx context.Context, c *workflow.Client, r request) (object, error) {
		if r.Timeout != nil {
			limited, cancel := context.WithTimeout(ctx, time.Duration(*r.Timeout*1e9))
			defer cancel()
			ctx = limited
		}
		state, err := do(c, ctx, *r.Instance)
		if err != nil {
			return nil, err
		}
		return object{"state": shown(state)}, nil
	}
}

func given[V, O any](options []O, value *V, option func(V) O) []O {
	if value == nil {
		return options
	}
	return append(options, option(*value))
}

func payload[O any](options []O, value json.RawMessage, option func(any) O) []O {
	if value == nil {
		return options
	}
	return append(options, option(value))
}

func shown(state *workflow.WorkflowMetadata) object {
	var failure any
	if f := state.FailureDetails; f != nil {
		failure = object{"type": f.GetErrorType(), "message": f.GetErrorMessage(), "stack": text(f.GetStackTrace())}
	}
	return object{
		"instance":      state.InstanceId,
		"status":        state.String(),
		"workflow":      state.Name,
		"created_at":    state.CreatedAt.AsTime().Format(time.RFC3339Nano),
		"updated_at":    state.LastUpdatedAt.AsTime().Format(time.RFC3339Nano),
		"input":         text(state.Input),
		"output":        text(state.Output),
		"custom_status": text(state.CustomStatus),
		"failure":       failure,
	}
}

func text(value *wrapperspb.StringValue) any {
	if value == nil {
		return nil
	}
	return value.GetValue()
}

func hello() object {
	build, _ := debug.ReadBuildInfo()
	at := slices.IndexFunc(build.Deps, func(one *debug.Module) bool { return one.Path == sdk })
	statuses := map[string]string{}
	for one := workflow.StatusRunning; one <= workflow.StatusStalled; one++ {
		name := workflow.WorkflowMetadata{RuntimeStatus: one}.String()
		statuses[name] = name
	}
	return object{
		"protocol": 1,
		"role":     "client",
		"sdk":      object{"name": sdk, "version": strings.TrimPrefix(build.Deps[at].Version, "v"), "language": "go"},
		"surface":  "taskhub",
		"verbs":    slices.Sorted(maps.Keys(operations)),
		"fields":   []string{"workflow", "created_at", "updated_at", "input", "output", "custom_status", "failure"},
		"errors":   slices.Compact(slices.Sorted(maps.Values(classes))),
		"statuses": statuses,
		"options":  []string{"delay", "raw", "output", "recursive", "force"},
	}
}

func class(err error) string {
	if errors.Is(err, api.ErrInstanceNotFound) {
		return "not_found"
	}
	return cmp.Or(classes[status.Code(err)], classes[status.FromContextError(err).Code()], "other")
}

func failed(class string, err error) object {
	return object{"error": object{"class": class, "type": fmt.Sprintf("%T", err), "message": err.Error()}}
}

func answer(c *workflow.Client, r request, line []byte) object {
	strict := json.NewDecoder(bytes.NewReader(line))
	strict.DisallowUnknownFields()
	operation, known := operations[r.Op]
	if err := strict.Decode(&r); err != nil || !known {
		return failed("unsupported", cmp.Or(err, fmt.Errorf("no operation %q", r.Op)))
	}
	ok, err := operation(context.Background(), c, r)
	if err != nil {
		return failed(class(err), err)
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
	var sidecar *workflow.Client
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
			if sidecar, err = client.NewWorkflowClient(); err != nil {
				say(r.ID, failed("unavailable", err))
				os.Exit(1)
			}
			say(r.ID, object{"ok": hello()})
		default:
			go func() { say(r.ID, answer(sidecar, r, line)) }()
		}
	}
}
