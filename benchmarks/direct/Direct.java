import io.dapr.workflows.client.DaprWorkflowClient;
import java.util.Scanner;
import java.util.logging.Level;
import java.util.logging.LogManager;

/**
 * Dapr's Java SDK in a loop, without a driver: for each number on stdin so many gets, and the
 * seconds they took. Arguments: CLIENT HTTP GRPC INSTANCE.
 */
public final class Direct {
  public static void main(String[] arguments) {
    System.setProperty("dapr.grpc.endpoint", arguments[2]);
    LogManager.getLogManager().getLogger("").setLevel(Level.OFF);
    DaprWorkflowClient sdk = new DaprWorkflowClient();
    Scanner numbers = new Scanner(System.in);
    while (numbers.hasNextInt()) {
      int count = numbers.nextInt();
      long begun = System.nanoTime();
      for (int done = 0; done < count; done++) {
        sdk.getWorkflowState(arguments[3], true);
      }
      System.err.println((System.nanoTime() - begun) / 1e9);
    }
    System.exit(0);
  }
}
