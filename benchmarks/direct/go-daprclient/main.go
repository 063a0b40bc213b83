// Dapr's Go SDK in a loop, without a driver: for each number on stdin so many gets, and the seconds they took.
// Arguments: CLIENT HTTP GRPC INSTANCE.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"github.com/dapr/go-sdk/client"
)

func main() {
	os.Setenv("DAPR_GRPC_ENDPOINT", os.Args[3])
	client.SetLogger(log.New(io.Discard, "", 0))
	sdk, err := client.NewClient()
	if err != nil {
		log.Fatal(err)
	}
	for count := 0; ; {
		if _, err := fmt.Scan(&count); err != nil {
			return
		}
		begun := time.Now()
		for range count {
			if _, err := sdk.GetWorkflowBeta1(context.Background(), &client.GetWorkflowRequest{InstanceID: os.Args[4]}); err != nil {
				log.Fatal(err)
			}
		}
		fmt.Fprintln(os.Stderr, time.Since(begun).Seconds())
	}
}
