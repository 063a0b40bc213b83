module workflow-conformance/clients/go

go 1.26.0

// The SDK's release stands in driver.yaml; building adds it, and what it needs as it pins it.
