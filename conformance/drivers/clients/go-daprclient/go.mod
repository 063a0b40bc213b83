module workflow-conformance/clients/go-daprclient

go 1.23.6

// The SDK's release stands in driver.yaml; building adds it, and what it needs as it pins it.
