import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.dapr.utils.Version;
import io.dapr.workflows.client.DaprWorkflowClient;
import io.dapr.workflows.client.NewWorkflowOptions;
import io.dapr.workflows.client.WorkflowFailureDetails;
import io.dapr.workflows.client.WorkflowRuntimeStatus;
import io.dapr.workflows.client.WorkflowState;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.io.BufferedReader;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeoutException;
import java.util.logging.Level;
import java.util.logging.LogManager;

/**
 * A client driver: DaprWorkflowClient of Dapr's Java SDK, which speaks the Durable Task protocol
 * over gRPC.
 *
 * <p>Lines of JSON on stdin ask, lines of JSON on stdout answer, in any order; logs go to stderr.
 * spec/DRIVERS.md describes the protocol. Whatever the SDK does is reported as it is.
 */
public final class Client {
  private static final JsonMapper JSON =
      JsonMapper.builder()
          .enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS)
          .nodeFactory(JsonNodeFactory.withExactBigDecimals(true))
          .configure(JsonGenerator.Feature.ESCAPE_NON_ASCII, true)
          .build();

  /** The words of the protocol for gRPC's codes: the SDK passes gRPC's errors on. */
  private static final Map<Status.Code, String> CLASSES =
      Map.of(
          Status.Code.NOT_FOUND, "not_found",
          Status.Code.ALREADY_EXISTS, "conflict",
          Status.Code.FAILED_PRECONDITION, "conflict",
          Status.Code.INVALID_ARGUMENT, "invalid",
          Status.Code.RESOURCE_EXHAUSTED, "invalid",
          Status.Code.UNAVAILABLE, "unavailable",
          Status.Code.UNAUTHENTICATED, "unavailable",
          Status.Code.PERMISSION_DENIED, "unavailable",
          Status.Code.DEADLINE_EXCEEDED, "timeout");

  private static final List<String> VERBS =
      List.of(
          "start get pause resume terminate purge raise_event wait_start wait_completion"
              .split(" "));

  private static final List<String> FIELDS =
      List.of("workflow", "created_at", "updated_at", "input", "output", "failure");

  private static final Set<String> WORDS =
      Set.of("id op workflow instance input delay output name data timeout".split(" "));

  private final DaprWorkflowClient sdk;

  private Client(JsonNode endpoint) {
    System.setProperty("dapr.grpc.endpoint", endpoint.path("grpc").textValue());
    if (endpoint.has("token")) {
      System.setProperty("dapr.api.token", endpoint.get("token").textValue());
    }
    sdk = new DaprWorkflowClient();
  }

  private ObjectNode hello() {
    ObjectNode statuses = JSON.createObjectNode();
    for (WorkflowRuntimeStatus status : WorkflowRuntimeStatus.values()) {
      statuses.put(status.name(), status.name());
    }
    String version = Version.getSdkVersion().replaceFirst(".*/v", "");
    ObjectNode hello =
        JSON.createObjectNode().put("protocol", 1).put("role", "client").put("surface", "taskhub");
    hello
        .putObject("sdk")
        .put("name", "io.dapr:dapr-sdk-workflows")
        .put("version", version)
        .put("language", "java");
    hello.putPOJO("verbs", VERBS);
    hello.putPOJO("fields", FIELDS);
    hello.putPOJO("errors", new TreeSet<>(CLASSES.values()));
    hello.putPOJO("options", List.of("delay", "output"));
    return hello.set("statuses", statuses);
  }

  private ObjectNode call(JsonNode asked) throws TimeoutException {
    String instance = asked.path("instance").textValue();
    Duration timeout = seconds(asked.path("timeout"));
    ObjectNode ok = JSON.createObjectNode();
    switch (asked.path("op").textValue()) {
      case "start" -> ok.put("instance", start(asked));
      case "get" -> ok.set("state", shown(sdk.getWorkflowState(instance, true)));
      case "pause" -> sdk.suspendWorkflow(instance, null);
      case "resume" -> sdk.resumeWorkflow(instance, null);
      case "terminate" -> sdk.terminateWorkflow(instance, asked.get("output"));
      case "purge" -> ok.put("purged", sdk.purgeWorkflow(instance));
      case "raise_event" ->
          sdk.raiseEvent(instance, asked.path("name").textValue(), asked.get("data"));
      case "wait_start" ->
          ok.set("state", shown(sdk.waitForWorkflowStart(instance, timeout, true)));
      default -> ok.set("state", shown(sdk.waitForWorkflowCompletion(instance, timeout, true)));
    }
    return ok;
  }

  private String start(JsonNode asked) {
    NewWorkflowOptions options = new NewWorkflowOptions().setInput(asked.get("input"));
    if (asked.has("instance")) {
      options.setInstanceId(asked.get("instance").textValue());
    }
    if (asked.has("delay")) {
      options.setStartTime(Instant.now().plus(seconds(asked.get("delay"))));
    }
    return sdk.scheduleNewWorkflow(asked.path("workflow").textValue(), options);
  }

  /** A state; where there is no such instance, the SDK documents one without an ID. */
  private static ObjectNode shown(WorkflowState state) {
    if (state == null || state.getWorkflowId().isEmpty()) {
      return null;
    }
    ObjectNode shown =
        JSON.createObjectNode()
            .put("instance", state.getWorkflowId())
            .put("status", state.getRuntimeStatus().name())
            .put("workflow", state.getName())
            .put("created_at", state.getCreatedAt().toString())
            .put("updated_at", state.getLastUpdatedAt().toString())
            .put("input", state.getSerializedInput())
            .put("output", state.getSerializedOutput());
    WorkflowFailureDetails failure = state.getFailureDetails();
    if (failure == null) {
      return shown.putNull("failure");
    }
    shown
        .putObject("failure")
        .put("type", failure.getErrorType())
        .put("message", failure.getErrorMessage())
        .put("stack", failure.getStackTrace());
    return shown;
  }

  private static Duration seconds(JsonNode number) {
    return Duration.ofNanos((long) (number.doubleValue() * 1e9));
  }

  private static ObjectNode answered(Client client, JsonNode asked) {
    Set<String> unknown = new TreeSet<>();
    asked.fieldNames().forEachRemaining(unknown::add);
    unknown.removeAll(WORDS);
    if (!unknown.isEmpty() || !VERBS.contains(asked.path("op").textValue())) {
      return failed(
          "unsupported", new UnsupportedOperationException(asked.path("op") + " " + unknown));
    }
    try {
      return (ObjectNode) JSON.createObjectNode().set("ok", client.call(asked));
    } catch (StatusRuntimeException error) {
      return failed(CLASSES.getOrDefault(error.getStatus().getCode(), "other"), error);
    } catch (TimeoutException error) {
      return failed("timeout", error);
    } catch (RuntimeException error) {
      return failed("other", error);
    }
  }

  private static ObjectNode failed(String kind, Throwable error) {
    ObjectNode answer = JSON.createObjectNode();
    answer
        .putObject("error")
        .put("class", kind)
        .put("type", error.getClass().getName())
        .put("message", String.valueOf(error.getMessage()));
    return answer;
  }

  private static void say(PrintStream answers, JsonNode asked, ObjectNode answer) {
    try {
      answers.println(JSON.writeValueAsString(answer.set("id", asked.get("id"))));
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }

  public static void main(String[] arguments) throws IOException {
    PrintStream answers =
        new PrintStream(new FileOutputStream(FileDescriptor.out), true, StandardCharsets.US_ASCII);
    System.setOut(System.err);
    LogManager.getLogManager().getLogger("").setLevel(Level.WARNING);
    BufferedReader lines =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    ExecutorService pool = Executors.newCachedThreadPool();
    Client client = null;
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      JsonNode asked = JSON.readTree(line);
      if (asked.path("op").asText().equals("stop")) {
        say(answers, asked, JSON.createObjectNode().set("ok", JSON.createObjectNode()));
        break;
      }
      if (asked.path("op").asText().equals("hello")) {
        try {
          client = new Client(asked.path("endpoint"));
          say(answers, asked, JSON.createObjectNode().set("ok", client.hello()));
        } catch (RuntimeException error) {
          say(answers, asked, failed("other", error));
          System.exit(1);
        }
      } else {
        Client asker = client;
        pool.execute(() -> say(answers, asked, answered(asker, asked)));
      }
    }
    System.exit(0);
  }
}
