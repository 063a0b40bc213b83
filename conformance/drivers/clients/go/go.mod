module workflow-conformance/clients/go

go 1.26.0

// What the SDK needs is as the SDK pins it: building fills it in.
require github.com/dapr/go-sdk v1.14.2
