# What is judged here, not by Windows: a code of the driver's protocol (wire.ts).
function Stop-Operation {
    param([string]$Code, [string]$Message)
    $failure = New-Object -TypeName InvalidOperationException -ArgumentList @($Message)
    $failure.Data['rouse'] = $Code
    throw $failure
}

function Get-Failure {
    param($Record)
    $code = $Record.Exception.Data['rouse']
    if ($null -ne $code) {
        return [ordered]@{ code = [string]$code; message = $Record.Exception.Message; hresult = $null; cmdlet = $null }
    }
    $cmdlet = $null
    if (($null -ne $Record.InvocationInfo) -and ($null -ne $Record.InvocationInfo.MyCommand)) {
        $cmdlet = [string]$Record.InvocationInfo.MyCommand.Name
    }
    return [ordered]@{
        code = 'failed'
        message = $Record.Exception.Message
        hresult = Get-Reason -Record $Record
        cmdlet = $cmdlet
    }
}

# The HRESULT, or null. Exceptions of Hyper-V's module carry .NET's own number (0x8013....), and the real one as text in
# their message, in every language: "... 'General access denied error' (0x80070005)". Those of iSCSI have it in the error's
# identifier: "HRESULT 0xefff0009,Connect-IscsiTarget". Return values of VMMS (32768 to 32779) stand in messages as they are:
# https://learn.microsoft.com/windows/win32/hyperv_v2/requeststatechange-msvm-computersystem
# Where each of them puts it is a guess from reports of such errors.
function Get-Reason {
    param($Record)
    $exception = $Record.Exception
    while ($null -ne $exception) {
        $number = '{0:X8}' -f $exception.HResult
        if (($number -notmatch '^8013') -and ($number -ne '00000000')) {
            return '0x' + $number
        }
        $exception = $exception.InnerException
    }
    $said = [string]$Record.FullyQualifiedErrorId + ' ' + $Record.Exception.Message
    if ($said -match '0x([0-9a-fA-F]{8})(?![0-9a-fA-F])') {
        return '0x' + $Matches[1].ToUpperInvariant()
    }
    if ($said -match '(?<![0-9])(327[67][0-9])(?![0-9])') {
        return '0x{0:X8}' -f [int]$Matches[1]
    }
    return $null
}

# One session at a time works on a recovery (or an appliance): an earlier one may still be at what its asker gave up.
# A mutex is let go when its process ends, however that happens, and whoever waits has it then:
# https://learn.microsoft.com/dotnet/api/system.threading.abandonedmutexexception
function Enter-Lock {
    param([string]$Name)
    $mutex = Wait-Lock -Name $Name -Milliseconds 60000
    if ($null -eq $mutex) {
        Stop-Operation -Code 'busy' -Message "another session has been working on $Name for a minute"
    }
    return $mutex
}

# Null when another session has it all the time.
function Wait-Lock {
    param([string]$Name, [int]$Milliseconds)
    $mutex = New-Object -TypeName Threading.Mutex -ArgumentList @($false, "Global\rouse-$Name")
    try {
        $ours = $mutex.WaitOne($Milliseconds)
    }
    catch [Threading.AbandonedMutexException] {
        $ours = $true
    }
    if (-not $ours) {
        $mutex.Dispose()
        return $null
    }
    return $mutex
}

function Exit-Lock {
    param($Mutex)
    if ($null -ne $Mutex) {
        $Mutex.ReleaseMutex()
        $Mutex.Dispose()
    }
}
