// A webhook receiver: verifies, answers the challenge, handles each message once.
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.Base64;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

public class Receiver {
    static final String[] SECRETS = System.getenv("TOCSIN_WEBHOOK_SECRET").split(" ");
    static final Set<String> HANDLED = ConcurrentHashMap.newKeySet(); // your database, so that it survives a restart
    // Use your JSON library instead; these fields hold no escapes.
    static final Pattern TYPE = Pattern.compile("^\\{\\s*\"type\"\\s*:\\s*\"([\\w.]+)\"");
    static final Pattern CHALLENGE = Pattern.compile("\"challenge\"\\s*:\\s*\"([\\w-]+)\"");

    static boolean verified(String id, String timestamp, String signatures, byte[] body)
            throws GeneralSecurityException {
        if (id == null || id.contains(".") || timestamp == null || !timestamp.matches("[0-9]{1,12}")
                || signatures == null) return false;
        if (Math.abs(System.currentTimeMillis() / 1000 - Long.parseLong(timestamp)) > 300) return false;
        boolean fits = false;
        for (String secret : SECRETS) {
            Mac mac = Mac.getInstance("HmacSHA256");
            mac.init(new SecretKeySpec(Base64.getDecoder().decode(secret.substring(6)), "HmacSHA256"));
            mac.update((id + "." + timestamp + ".").getBytes(StandardCharsets.UTF_8));
            String expected = "v1," + Base64.getEncoder().encodeToString(mac.doFinal(body));
            for (String one : signatures.split(" ", 16))
                fits |= MessageDigest.isEqual(expected.getBytes(StandardCharsets.UTF_8),
                        one.getBytes(StandardCharsets.UTF_8));
        }
        return fits;
    }

    static void receive(HttpExchange exchange) throws IOException {
        byte[] body = exchange.getRequestBody().readNBytes(65_536);
        String id = exchange.getRequestHeaders().getFirst("webhook-id");
        int status = 204;
        byte[] answer = new byte[0];
        try {
            String timestamp = exchange.getRequestHeaders().getFirst("webhook-timestamp");
            String signatures = exchange.getRequestHeaders().getFirst("webhook-signature");
            if (!exchange.getRequestMethod().equals("POST") || !verified(id, timestamp, signatures, body)) {
                status = 401;
            } else {
                String text = new String(body, StandardCharsets.UTF_8);
                Matcher type = TYPE.matcher(text);
                if (!type.find()) throw new IllegalArgumentException("not an event");
                Matcher challenge = CHALLENGE.matcher(text);
                if (type.group(1).equals("endpoint.verification") && challenge.find()) {
                    status = 200;
                    exchange.getResponseHeaders().set("content-type", "application/json");
                    answer = ("{\"challenge\":\"" + challenge.group(1) + "\"}").getBytes(StandardCharsets.UTF_8);
                } else if (!HANDLED.contains(id)) {
                    System.out.println(type.group(1) + " " + id); // your code; what it throws is answered with 500
                    HANDLED.add(id);
                }
            }
        } catch (GeneralSecurityException | RuntimeException failed) {
            status = 500; // the hub sends the event again
        }
        exchange.sendResponseHeaders(status, answer.length == 0 ? -1 : answer.length);
        exchange.getResponseBody().write(answer);
        exchange.close();
    }

    public static void main(String[] arguments) throws IOException {
        int port = Integer.parseInt(System.getenv("PORT"));
        HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", port), 0);
        server.createContext("/", Receiver::receive);
        server.start();
    }
}
