import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.dapr.durabletask.TaskCanceledException;
import io.dapr.utils.Version;
import io.dapr.workflows.Workflow;
import io.dapr.workflows.WorkflowActivity;
import io.dapr.workflows.WorkflowActivityContext;
import io.dapr.workflows.WorkflowContext;
import io.dapr.workflows.WorkflowStub;
import io.dapr.workflows.runtime.WorkflowRuntimeBuilder;
import java.io.BufferedReader;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.logging.Level;
import java.util.logging.LogManager;

/**
 * A worker driver: hosts the kit workflows on the workflow runtime of Dapr's Java SDK.
 *
 * <p>Lines of JSON on stdin ask, lines of JSON on stdout answer; logs go to stderr. spec/DRIVERS.md
 * describes the protocol, spec/workflows.yaml what the workflows do.
 */
public final class Worker {
  static final JsonMapper JSON =
      JsonMapper.builder().configure(JsonGenerator.Feature.ESCAPE_NON_ASCII, true).build();

  private static ObjectNode work(JsonNode endpoint) {
    System.setProperty("dapr.grpc.endpoint", endpoint.path("grpc").textValue());
    if (endpoint.has("token")) {
      System.setProperty("dapr.api.token", endpoint.get("token").textValue());
    }
    new WorkflowRuntimeBuilder()
        .registerWorkflow(new ConformanceEcho())
        .registerWorkflow(new ConformanceScript())
        .registerActivity(new ConformanceEchoActivity())
        .build()
        .start(false); // connects on a thread of its own, and does not tell when it has
    String version = Version.getSdkVersion().replaceFirst(".*/v", "");
    ObjectNode hello = JSON.createObjectNode().put("protocol", 1).put("role", "worker");
    hello
        .putObject("sdk")
        .put("name", "io.dapr:dapr-sdk-workflows")
        .put("version", version)
        .put("language", "java");
    return hello;
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

  private static void say(PrintStream answers, JsonNode asked, ObjectNode answer)
      throws IOException {
    answers.println(JSON.writeValueAsString(answer.set("id", asked.get("id"))));
  }

  public static void main(String[] arguments) throws IOException {
    PrintStream answers =
        new PrintStream(new FileOutputStream(FileDescriptor.out), true, StandardCharsets.US_ASCII);
    System.setOut(System.err);
    LogManager.getLogManager().getLogger("").setLevel(Level.WARNING);
    BufferedReader lines =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      JsonNode asked = JSON.readTree(line);
      String op = asked.path("op").asText();
      if (op.equals("stop")) {
        say(answers, asked, JSON.createObjectNode().set("ok", JSON.createObjectNode()));
        break;
      }
      if (!op.equals("hello")) {
        say(answers, asked, failed("unsupported", new UnsupportedOperationException(op)));
        continue;
      }
      try {
        say(answers, asked, JSON.createObjectNode().set("ok", work(asked.path("endpoint"))));
      } catch (RuntimeException error) {
        say(answers, asked, failed("other", error));
        System.exit(1);
      }
    }
    System.exit(0);
  }
}

/**
 * The SDK calls a workflow what its class is called; a class of the default package has no more.
 */
final class ConformanceEcho implements Workflow {
  @Override
  public WorkflowStub create() {
    return context -> context.complete(context.getInput(JsonNode.class));
  }
}

final class ConformanceEchoActivity implements WorkflowActivity {
  @Override
  public Object run(WorkflowActivityContext context) {
    return context.getInput(JsonNode.class);
  }
}

final class ConformanceScript implements Workflow {
  private static final String NAME = ConformanceScript.class.getCanonicalName();
  private static final String ACTIVITY = ConformanceEchoActivity.class.getCanonicalName();

  @Override
  public WorkflowStub create() {
    return ConformanceScript::follow;
  }

  private static void follow(WorkflowContext context) {
    ArrayNode values = Worker.JSON.createArrayNode();
    for (JsonNode step : context.getInput(JsonNode.class).get("do")) {
      String instruction = step.fieldNames().next();
      JsonNode argument = step.get(instruction);
      switch (instruction) {
        case "set_status" -> context.setCustomStatus(argument);
        case "wait_event" -> values.add(event(context, argument.textValue(), step.get("timeout")));
        case "sleep" -> context.createTimer(seconds(argument)).await();
        case "call_activity" ->
            values.add(context.callActivity(ACTIVITY, argument, JsonNode.class).await());
        case "call_child" -> values.add(child(context, argument));
        case "continue_as_new" ->
            context.continueAsNew(argument, step.path("keep_events").booleanValue());
        case "fail" -> throw new ConformanceFailure(argument.textValue());
        case "return" -> {
          context.complete(argument);
          return;
        }
        default -> throw new IllegalArgumentException("no instruction " + instruction);
      }
    }
    context.complete(values);
  }

  private static JsonNode event(WorkflowContext context, String name, JsonNode timeout) {
    Duration patience = timeout == null ? null : seconds(timeout); // null: for ever
    try {
      return context.waitForExternalEvent(name, patience, JsonNode.class).await();
    } catch (TaskCanceledException late) {
      return Worker.JSON.createObjectNode().put("timed_out", true);
    }
  }

  private static JsonNode child(WorkflowContext context, JsonNode argument) {
    ObjectNode script = argument.deepCopy();
    JsonNode id = script.remove("id");
    String instance = id == null ? null : id.textValue();
    return context.callChildWorkflow(NAME, script, instance, JsonNode.class).await();
  }

  private static Duration seconds(JsonNode number) {
    return Duration.ofNanos((long) (number.doubleValue() * 1e9));
  }
}

final class ConformanceFailure extends RuntimeException {
  ConformanceFailure(String message) {
    super(message);
  }
}
