module workflow-conformance/clients/go-daprclient

go 1.23.6

// What the SDK needs is as the SDK pins it: building fills it in.
require github.com/dapr/go-sdk v1.12.0
