// A worker driver: hosts the kit workflows on the workflow worker of Dapr's Go SDK.
//
// Lines of JSON on stdin ask, lines of JSON on stdout answer; logs go to stderr. spec/DRIVERS.md describes the
// protocol, spec/workflows.yaml what the workflows do.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/dapr/durabletask-go/task"
	"github.com/dapr/durabletask-go/workflow"
	"github.com/dapr/go-sdk/client"
)

const sdk = "github.com/dapr/go-sdk"

const (
	echo     = "ConformanceEcho"
	script   = "ConformanceScript"
	activity = "ConformanceEchoActivity"
)

type object map[string]any

// An instruction of a script: one of the eight, with its options. What is not there is nil; JSON's null is not.
type instruction struct {
	SetStatus     json.RawMessage `json:"set_status"`
	WaitEvent     *string         `json:"wait_event"`
	Timeout       *float64        `json:"timeout"`
	Sleep         *float64        `json:"sleep"`
	CallActivity  json.RawMessage `json:"call_activity"`
	CallChild     json.RawMessage `json:"call_child"`
	ContinueAsNew json.RawMessage `json:"continue_as_new"`
	KeepEvents    bool            `json:"keep_events"`
	Fail          *string         `json:"fail"`
	Return        json.RawMessage `json:"return"`
}

func runEcho(ctx *workflow.WorkflowContext) (any, error) { return input(ctx) }

func runActivity(ctx workflow.ActivityContext) (any, error) { return input(ctx) }

func input(ctx interface{ GetInput(any) error }) (any, error) {
	var given json.RawMessage
	if err := ctx.GetInput(&given); err != nil || given == nil {
		return nil, err
	}
	return given, nil
}

func runScript(ctx *workflow.WorkflowContext) (any, error) {
	var program struct {
		Do []instruction `json:"do"`
	}
	if err := ctx.GetInput(&program); err != nil {
		return nil, err
	}
	values := []json.RawMessage{}
	for number, step := range program.Do {
		var value json.RawMessage
		var err error
		switch {
		case step.SetStatus != nil:
			ctx.SetCustomStatus(string(step.SetStatus))
			continue
		case step.Sleep != nil:
			if err := ctx.CreateTimer(seconds(*step.Sleep)).Await(nil); err != nil {
				return nil, err
			}
			continue
		case step.ContinueAsNew != nil:
			ctx.ContinueAsNew(step.ContinueAsNew, kept(step)...)
			return nil, nil
		case step.Fail != nil:
			return nil, errors.New(*step.Fail)
		case step.Return != nil:
			return step.Return, nil
		case step.WaitEvent != nil:
			value, err = event(ctx, step)
		case step.CallActivity != nil:
			err = ctx.CallActivity(activity, workflow.WithActivityInput(step.CallActivity)).Await(&value)
		case step.CallChild != nil:
			value, err = child(ctx, step.CallChild)
		default:
			err = fmt.Errorf("do[%d]: no such instruction", number)
		}
		if err != nil {
			return nil, err
		}
		values = append(values, value)
	}
	return values, nil
}

func event(ctx *workflow.WorkflowContext, step instruction) (json.RawMessage, error) {
	patience := time.Duration(-1) // for ever
	if step.Timeout != nil {
		patience = seconds(*step.Timeout)
	}
	var value json.RawMessage
	err := ctx.WaitForExternalEvent(*step.WaitEvent, patience).Await(&value)
	if errors.Is(err, task.ErrTaskCanceled) {
		return json.RawMessage(`{"timed_out": true}`), nil
	}
	return value, err
}

func child(ctx *workflow.WorkflowContext, argument json.RawMessage) (json.RawMessage, error) {
	var named struct {
		ID string            `json:"id"`
		Do []json.RawMessage `json:"do"`
	}
	if err := json.Unmarshal(argument, &named); err != nil {
		return nil, err
	}
	options := []workflow.ChildWorkflowOption{workflow.WithChildWorkflowInput(object{"do": named.Do})}
	if named.ID != "" {
		options = append(options, workflow.WithChildWorkflowInstanceID(named.ID))
	}
	var value json.RawMessage
	err := ctx.CallChildWorkflow(script, options...).Await(&value)
	return value, err
}

func kept(step instruction) []workflow.ContinueAsNewOption {
	if step.KeepEvents {
		return []workflow.ContinueAsNewOption{workflow.WithKeepUnprocessedEvents()}
	}
	return nil
}

func seconds(number float64) time.Duration { return time.Duration(number * float64(time.Second)) }

func work(grpc, token string) error {
	os.Setenv("DAPR_GRPC_ENDPOINT", grpc)
	os.Setenv("DAPR_API_TOKEN", token)
	client.SetLogger(log.Default()) // by itself the SDK logs to stdout
	sidecar, err := client.NewWorkflowClient()
	if err != nil {
		return err
	}
	registry := workflow.NewRegistry()
	return errors.Join(
		registry.AddWorkflowN(echo, runEcho),
		registry.AddWorkflowN(script, runScript),
		registry.AddActivityN(activity, runActivity),
		sidecar.StartWorker(context.Background(), registry),
	)
}

func hello() object {
	build, _ := debug.ReadBuildInfo()
	at := slices.IndexFunc(build.Deps, func(one *debug.Module) bool { return one.Path == sdk })
	return object{
		"protocol": 1,
		"role":     "worker",
		"sdk":      object{"name": sdk, "version": strings.TrimPrefix(build.Deps[at].Version, "v"), "language": "go"},
	}
}

func failed(class string, err error) object {
	return object{"error": object{"class": class, "type": fmt.Sprintf("%T", err), "message": err.Error()}}
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
	for lines := bufio.NewReader(os.Stdin); ; {
		var asked struct {
			ID       int64
			Op       string
			Endpoint struct{ GRPC, Token string }
		}
		line, err := lines.ReadBytes('\n')
		if err != nil || json.Unmarshal(line, &asked) != nil {
			return // nobody asks any more
		}
		switch asked.Op {
		case "hello":
			if err := work(asked.Endpoint.GRPC, asked.Endpoint.Token); err != nil {
				say(asked.ID, failed("unavailable", err))
				os.Exit(1)
			}
			say(asked.ID, object{"ok": hello()})
		case "stop":
			say(asked.ID, object{"ok": object{}})
			return
		default:
			say(asked.ID, failed("unsupported", fmt.Errorf("no operation %q", asked.Op)))
		}
	}
}
