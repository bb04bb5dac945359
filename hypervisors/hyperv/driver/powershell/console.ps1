# Joins this session with a named pipe of this host: the serial port of a machine, which its worker process serves while
# the machine runs. A line of request, a line of answer, then bytes in both directions. Started by the bootstrap.
#
# Source of what pipes do:
# https://learn.microsoft.com/dotnet/api/system.io.pipes.namedpipeclientstream
# https://learn.microsoft.com/dotnet/api/system.console.openstandardinput

Set-StrictMode -Version 2
$ErrorActionPreference = 'Stop'

# The reader that the bootstrap used may hold bytes that came with the request: they are read out of it before the stream
# below it is used. Rouse sends nothing more until it has the answer, so there are none.
$request = ConvertFrom-Json -InputObject ([Console]::In.ReadLine())
if ([string]$request.pipe -notmatch '^\\\\\.\\pipe\\([\w-]{1,80})$') {
    [Console]::Out.WriteLine('{"ok":false,"hresult":"0x80070057"}')
    exit 0
}
$pipe = New-Object -TypeName System.IO.Pipes.NamedPipeClientStream -ArgumentList @(
    '.', $Matches[1], [IO.Pipes.PipeDirection]::InOut, [IO.Pipes.PipeOptions]::Asynchronous)
try {
    # Another client may just have left it: the worker process takes one at a time.
    $pipe.Connect(3000)
}
catch {
    $reason = '0x{0:X8}' -f $_.Exception.GetBaseException().HResult
    [Console]::Out.WriteLine('{"ok":false,"hresult":"' + $reason + '"}')
    exit 0
}
[Console]::Out.WriteLine('{"ok":true}')

# CopyToAsync gathers nothing: each read that came back is written at once. Flushing is not needed, neither side buffers.
$fromUs = [Console]::OpenStandardInput().CopyToAsync($pipe)
$toUs = $pipe.CopyToAsync([Console]::OpenStandardOutput())
# Ends when either side does; what is still under way goes with the process.
[void][Threading.Tasks.Task]::WaitAny(@($fromUs, $toUs))
exit 0
