# Work for the preload test of perl: prints counts and digests; the same input every time.
use strict;
use warnings;
use threads;
use Digest::MD5 qw(md5_hex);
use File::Find;

my @files;
find({ wanted => sub { push @files, $_ if /\.p[lm]$/ && -f }, no_chdir => 1 },
	grep { -d } qw(/usr/share/perl /usr/lib/x86_64-linux-gnu/perl-base));
@files = (sort @files)[0 .. 149];

my (%count, $all);
$all = '';
for my $file (grep { defined } @files) {
	open my $in, '<', $file or die "$file: $!";
	while (my $line = <$in>) {
		$count{$_}++ for $line =~ /(\w+)/g;
		(my $swapped = $line) =~ s/(\w+)\s*=>\s*(\w+)/$2 => $1/g;
		$all .= $swapped;
	}
}
printf "words %d text %d %s\n", scalar keys %count, length $all, md5_hex($all);
my @order = sort { $count{$b} <=> $count{$a} || $a cmp $b } keys %count;
print "$_ $count{$_}\n" for @order[0 .. 199];
print "pieces ", md5_hex(join ',', map { scalar reverse } split /\s+/, $all), "\n";

sub churn {
	my ($seed) = @_;
	my ($x, $sum, @live) = ($seed, 0);
	for my $i (1 .. 60000) {
		$x = ($x * 1103515245 + 12345) & 0x7fffffff;
		my $slot = ($x >> 8) % 3000;
		$sum = ($sum * 31 + length $live[$slot]) & 0xffffffff if defined $live[$slot];
		$live[$slot] = chr(65 + $i % 26) x (($x >> 4) % ($i % 100 ? 500 : 100000));
		$live[$slot] .= 'tail' x ($i % 9) if $i % 3 == 0;
	}
	return md5_hex(join '', map { defined $_ ? $_ : '-' } @live) . " $sum";
}

my @threads = map { my $n = $_; threads->create(sub { churn($n) }) } 1 .. 4;
print 'thread ', $_->join, "\n" for @threads;

for my $n (5 .. 8) {
	my $pid = open(my $child, '-|');
	die "fork: $!" unless defined $pid;
	if (!$pid) {
		print 'child ', churn($n), "\n";
		exit 0;
	}
	print <$child>;
	close $child or die "child $n: status $?";
}
