# A webhook receiver: verifies, answers the challenge, handles each message once.
use strict;
use warnings;
use Digest::SHA qw(hmac_sha256);
use IO::Socket::INET;
use JSON::PP qw(decode_json encode_json);
use MIME::Base64 qw(decode_base64 encode_base64);

$| = 1;
my @secrets = map { decode_base64(substr $_, 6) } split / /, $ENV{TOCSIN_WEBHOOK_SECRET};
my %handled;    # your database, so that it survives a restart

sub same {      # in constant time
    my ($one, $other) = @_;
    return 0 if length $one != length $other;
    my $differs = 0;
    $differs |= ord(substr $one, $_, 1) ^ ord(substr $other, $_, 1) for 0 .. length($one) - 1;
    return $differs == 0;
}

sub verified {
    my ($headers, $body) = @_;
    my ($id, $timestamp, $signatures) = map { $headers->{"webhook-$_"} // "" } qw(id timestamp signature);
    return 0 if $id eq "" || $id =~ /\./ || $timestamp !~ /\A[0-9]{1,12}\z/;
    return 0 if abs(time - $timestamp) > 300;
    my $fits = 0;
    for my $secret (@secrets) {
        my $expected = "v1," . encode_base64(hmac_sha256("$id.$timestamp.$body", $secret), "");
        $fits |= same($expected, $_) for split / /, $signatures, 16;
    }
    return $fits;
}

sub answer {
    my ($method, $headers, $body) = @_;
    return "401 Unauthorized", "" unless $method eq "POST" && verified($headers, $body);
    my $event = decode_json($body);
    return "200 OK", encode_json({ challenge => $event->{data}{challenge} }) if $event->{type} eq "endpoint.verification";
    my $id = $headers->{"webhook-id"};
    if (!$handled{$id}) {
        print "$event->{type} $id\n";    # your code; when it dies, the hub sends the event again
        $handled{$id} = 1;
    }
    return "200 OK", "";
}

my $server = IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => $ENV{PORT}, Listen => 128, ReuseAddr => 1)
    or die "cannot listen: $!";
while (my $client = $server->accept) {
    my ($head, $body) = ("", "");
    my $length = 0;
    eval {
        local $SIG{ALRM} = sub { die "too slow\n" };
        alarm 10;
        while (my $line = <$client>) {
            last if $line eq "\r\n" || length $head > 16_384;
            $head .= $line;
        }
        ($length) = $head =~ /^content-length: *(\d{1,5})\r$/mi;
        read $client, $body, $length // 0;
        alarm 0;
    };
    my %headers = map { /^([^:]+): *(.*)\r$/ ? (lc $1 => $2) : () } split /\n/, $head;
    my ($method) = split / /, $head;
    my ($status, $text) = eval { answer($method // "", \%headers, $body) };
    ($status, $text) = ("500 Internal Server Error", "") if $@;
    print $client "HTTP/1.1 $status\r\ncontent-length: " . length($text) . "\r\nconnection: close\r\n\r\n$text";
    close $client;
}
